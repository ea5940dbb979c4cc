"""Unpickle tensors, dictionaries and numbers with torch's own guard, and nothing that runs code.

PyTorch Lightning keeps the run's output folder in its checkpoints as a ``pathlib.PosixPath``, which
the guard refuses and Windows cannot even build. It is read as text.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any

import torch


class _PathText:
    """Stands for a path class while a file is read, and gives the path's text."""

    __slots__ = ()

    def __new__(cls, *parts: str) -> str:  # type: ignore[misc]
        return str(PurePosixPath(*parts))


def _under_name(module: str, name: str) -> type:
    """A class that the guard knows by the name that stands in the file."""
    return type(name, (_PathText,), {"__slots__": (), "__module__": module, "__qualname__": name})


# Python 3.13 pickles the class under the second name.
_INERT = [_under_name("pathlib", "PosixPath"), _under_name("pathlib._local", "PosixPath")]


def load_tensors(source: Any, *, mmap: bool) -> object:
    """Read a file of ``torch.save``; tensors arrive on the CPU, wherever they were saved.

    Args:
        source: path or open file.
        mmap: map the tensors into memory in place of reading them; the file is a path then.

    Raises:
        Exception: of any type, where the file is damaged or holds anything but plain values.
    """
    with _inert_paths(), warnings.catch_warnings():  # about files that the caller refuses
        warnings.simplefilter("ignore")
        return torch.load(source, map_location="cpu", weights_only=True, mmap=mmap)


@contextmanager
def _inert_paths() -> Iterator[None]:
    """Allow paths as text in this block, and nothing that the program allows elsewhere."""
    before = torch.serialization.get_safe_globals()
    try:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(list(_INERT))
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)
