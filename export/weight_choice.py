"""Choose the weight file of a folder by the names that trainers and hubs write."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath

from trm_edge.errors import CheckpointError
from trm_edge.export.hub_name import suggestion
from trm_edge.printable import excerpt

SUFFIXES = (".pt", ".pth", ".ckpt", ".bin", ".safetensors")
LIGHTNING_FOLDER = "checkpoints"  # of a run of PyTorch Lightning
_NAMES_SHOWN = 8
_EPOCH = re.compile(r"epoch[_=]?(\d{1,18})(?:-step=(\d{1,18}))?\.ckpt")
_LAST = re.compile(r"last(-v\d+)?\.ckpt")  # -v1: of a second run into the same folder
_CONVENTIONAL = ("model.safetensors", "pytorch_model.bin")


def find_weights(path: Path) -> Path:
    """Find the weight file: the path itself, or the one of a folder.

    Args:
        path: the file or its folder.

    Raises:
        CheckpointError: there is none, or several that could be meant.
    """
    try:
        if path.is_file():
            return path
        if path.is_dir():
            return _weights_in(path)
        exists = path.exists()
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{excerpt(path)} cannot be read: {excerpt(error)}.") from error
    if exists:
        raise CheckpointError(f"{path} is not a regular file. Pass a step_N file or its folder.")
    name = suggestion(path)
    remedy = f" For the model of that name on a hub, pass {name}" if name else ""
    raise CheckpointError(
        f"no checkpoint at {excerpt(path)}. Pass a step_N file or its folder.{remedy}"
    )


def weight_names(names: Iterable[str]) -> list[str]:
    """Choose among the names of one folder's files.

    The newest ``step_N``; else ``checkpoint``; else Lightning's ``last.ckpt`` or its newest epoch;
    else ``model.safetensors`` or ``pytorch_model.bin``; else every name with a suffix of weights.

    Args:
        names: of files, without their folder.

    Returns:
        The one to take, several where it is a question, or none.

    >>> weight_names(["step_9", "step_10", "model.safetensors"])
    ['step_10']
    """
    ordered = sorted(names)
    for choose in _CHOICES:
        chosen = choose(ordered)
        if chosen:
            return chosen
    return []


def _newest_step(names: Sequence[str]) -> list[str]:
    steps = []
    for name in names:
        number = _step_number(name)
        if number is not None:
            steps.append((number, "." not in name, name))
    return [max(steps)[2]] if steps else []


def _step_number(name: str) -> int | None:
    """N of ``step_N``, with or without one of the usual suffixes."""
    path = PurePosixPath(name)
    stem = path.stem if path.suffix in SUFFIXES else name
    number = stem.removeprefix("step_")
    if number == stem or not number.isascii() or not number.isdecimal() or len(number) > 18:
        return None
    return int(number)


def _published(names: Sequence[str]) -> list[str]:
    return [name for name in names if name == "checkpoint"]


def _last(names: Sequence[str]) -> list[str]:
    return [name for name in names if _LAST.fullmatch(name)]


def _newest_epoch(names: Sequence[str]) -> list[str]:
    epochs = []
    for name in names:
        match = _EPOCH.fullmatch(name)
        if match is not None:
            epochs.append((int(match[1]), int(match[2] or 0), name))
    return [max(epochs)[2]] if epochs else []


def _conventional(names: Sequence[str]) -> list[str]:
    return [name for name in _CONVENTIONAL if name in names][:1]


def _any_weights(names: Sequence[str]) -> list[str]:
    return [name for name in names if PurePosixPath(name).suffix in SUFFIXES]


_CHOICES: tuple[Callable[[Sequence[str]], list[str]], ...] = (
    _newest_step,
    _published,
    _last,
    _newest_epoch,
    _conventional,
    _any_weights,
)


def _weights_in(folder: Path) -> Path:
    names = _file_names(folder)
    chosen = weight_names(names)
    if not chosen and (folder / LIGHTNING_FOLDER).is_dir():
        folder = folder / LIGHTNING_FOLDER
        chosen = weight_names(_file_names(folder))
    if len(chosen) == 1:
        return folder / chosen[0]
    if chosen:
        shown = ", ".join(excerpt(name, 60) for name in chosen[:_NAMES_SHOWN])
        raise CheckpointError(
            f"several files that could be weights in {folder}: {shown}. Pass the weight file "
            "itself."
        )
    if _is_bundle(folder):
        raise CheckpointError(
            f"{folder} is a bundle, not a checkpoint. Pass the checkpoint it was made from, or "
            f"add a target to it with: trm-edge export --into {folder} --target NAME"
        )
    entries = [excerpt(entry.name, 60) for entry in sorted(folder.iterdir())]
    content = ", ".join(entries[:_NAMES_SHOWN]) or "nothing"
    raise CheckpointError(
        f"no step_N file in {folder}, which holds {content}. Pass the weight file itself."
    )


def _is_bundle(folder: Path) -> bool:
    return (folder / "manifest.json").is_file() and (folder / "parity.npz").is_file()


def _file_names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir() if entry.is_file()]
