"""Writes of predictions that fail, as on a full disk or at a signal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trm_edge.arc.predictions import Predictions


@contextmanager
def failing_writes(
    error: BaseException, first: int, *, is_written: bool = False, times: int = 1
) -> Iterator[None]:
    """Let some of the writes in the block fail.

    Args:
        error: to raise.
        first: the write that fails first, from 1.
        is_written: it fails after the file is in place, not before.
        times: writes that fail, one after another.
    """
    write = Predictions.write
    writes = 0

    def failing_write(predictions: Predictions, path: Path) -> None:
        nonlocal writes
        writes += 1
        fails = first <= writes < first + times
        if is_written or not fails:
            write(predictions, path)
        if fails:
            raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Predictions, "write", failing_write)
        yield
