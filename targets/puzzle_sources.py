"""Which puzzles a model is calibrated on, and which it is held to; never the same ones."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from trm_edge.config import ModelConfig
from trm_edge.errors import CalibrationError, CalibrationWarning, PuzzleError
from trm_edge.puzzle import Puzzle
from trm_edge.reference import Split, reference_puzzles
from trm_edge.tasks.base import BadLine, Entry, Task

PARITY_PUZZLES = 512
CONTROL_PUZZLES = 2000  # where accuracy is controlled: to show a small drop takes many
FEW_PUZZLES = 16  # to calibrate on
RANDOM_PUZZLES = 4  # where no puzzles are known, tokens at random show that engines agree


@dataclass(frozen=True)
class PuzzleSet:
    """Puzzles and where they are from."""

    entries: list[Entry]
    source: str

    @property
    def puzzles(self) -> list[Puzzle]:
        return [entry.puzzle for entry in self.entries]

    def warn_where_weak(self) -> None:
        """Warn of calibration on few puzzles, or on puzzles that are all of one kind."""
        tokens = np.stack([puzzle.tokens for puzzle in self.puzzles])
        identifiers = {puzzle.identifier for puzzle in self.puzzles}
        distinct = len({_key(entry) for entry in self.entries})
        if distinct < FEW_PUZZLES:
            _warn(f"{distinct} different puzzles are few to calibrate on ({self.source})")
            return
        counts = (tokens == np.bincount(tokens.ravel()).argmax()).sum(1)
        if len(identifiers) == 1 and np.ptp(counts) == 0:
            _warn(
                f"the calibration puzzles are all of one kind ({self.source}): each holds its "
                f"most common token {counts[0]} times"
            )


def held_out_puzzles(task: Task, dataset: Path | None, count: int) -> PuzzleSet:
    """The first ``count`` of the dataset's test split, else of the shipped set, else at random."""
    split = _split(dataset, "test")
    shipped = _shipped(task, "held_out")
    if split is not None:
        found = PuzzleSet(_read(task, split, count), str(split))
    elif shipped is not None:
        found = PuzzleSet(_read(task, shipped, count), f"the shipped held-out {task.name} puzzles")
    else:
        found = PuzzleSet(
            random_entries(task.config, RANDOM_PUZZLES),
            f"{RANDOM_PUZZLES} puzzles of random tokens",
        )
    if not found.entries:
        raise PuzzleError(f"{found.source} holds no puzzle.")
    return found


def calibration_puzzles(
    task: Task,
    given: Path | None,
    dataset: Path | None,
    held_out: PuzzleSet,
    count: int | None = None,
) -> PuzzleSet:
    """Puzzles to calibrate on: those given, the dataset's train split, or the shipped set.

    The first ``count`` of them, or all. What is also held out is left out here, so that no accuracy
    is measured on it.

    Raises:
        CalibrationError: there are none, or all of them are held out.
    """
    path = given or _split(dataset, "train") or _shipped(task, "calibration")
    if path is None:
        raise CalibrationError(
            f"calibration needs puzzles, and none are shipped for the task {task.name} with "
            f"{task.config.seq_len} cells. Pass puzzles like those the model will see with "
            "--calibration PUZZLES (a text file or a dataset folder), or the dataset's folder with "
            "--dataset."
        )
    known = {_key(entry) for entry in held_out.entries}
    seen = 0
    kept = []
    for entry in _entries(task, path):
        seen += 1
        if _key(entry) not in known:
            kept.append(entry)
            if len(kept) == count:
                break
    if not kept:
        raise CalibrationError(
            f"{path} holds {seen} puzzles, and every one of them is held out for measuring "
            "accuracy. Pass others."
            if seen
            else f"{path} holds no puzzle to calibrate on."
        )
    shipped = path == _shipped(task, "calibration")
    return PuzzleSet(kept, f"the shipped {task.name} calibration puzzles" if shipped else str(path))


def random_entries(config: ModelConfig, count: int) -> list[Entry]:
    """Token ids from 1 up, uniformly; the same every time."""
    rng = np.random.default_rng(0)
    low = 1 if config.vocab_size > 1 else 0
    tokens = rng.integers(low, config.vocab_size, (count, config.seq_len), dtype=np.int32)
    identifiers = rng.integers(0, config.num_puzzle_identifiers, count)
    return [
        Entry(Puzzle(row, int(identifier)), line)
        for line, (row, identifier) in enumerate(zip(tokens, identifiers, strict=True), 1)
    ]


def _shipped(task: Task, split: Split) -> Path | None:
    return reference_puzzles(task.name, split, task.config.seq_len)


def _split(dataset: Path | None, name: str) -> Path | None:
    """The split's folder, where the dataset is one and has its arrays."""
    if dataset is None or not dataset.is_dir():
        return None
    folder = dataset / name
    return folder if any(folder.glob("*__inputs.npy")) else None


def _read(task: Task, path: Path, count: int) -> list[Entry]:
    return list(islice(_entries(task, path), count))


def _entries(task: Task, path: Path) -> Iterator[Entry]:
    """Every puzzle; a malformed one is an error here, since figures would not be what they seem.

    Raises:
        PuzzleError: names file, line and what is wrong.
    """
    for item in task.read(path):
        if isinstance(item, BadLine):
            raise PuzzleError(f"{path}, {item}.")
        yield item


def _warn(problem: str) -> None:
    warnings.warn(
        f"{problem}; ranges may not fit what the model will meet. Pass more and more varied "
        "puzzles with --calibration.",
        CalibrationWarning,
        stacklevel=3,
    )


def _key(entry: Entry) -> tuple[int, bytes]:
    return entry.puzzle.identifier, entry.puzzle.tokens.astype(np.int32).tobytes()
