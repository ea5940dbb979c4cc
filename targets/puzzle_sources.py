"""Choose calibration puzzles and held-out puzzles; the two never overlap."""

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
CONTROL_PUZZLES = 2000  # with accuracy control: showing a small drop takes many puzzles
FEW_PUZZLES = 16  # fewer calibration puzzles than this are warned about
RANDOM_PUZZLES = 4  # without known puzzles, random tokens show that backends agree


@dataclass(frozen=True)
class PuzzleSet:
    """Puzzles and their source.

    Args:
        entries: puzzles with their known answers.
        source: where the puzzles are from, for messages.
    """

    entries: list[Entry]
    source: str

    @property
    def puzzles(self) -> list[Puzzle]:
        """The puzzles without their answers."""
        return [entry.puzzle for entry in self.entries]

    def warn_where_weak(self) -> None:
        """Warn about calibration on few puzzles, or on puzzles that are all alike.

        Warns:
            CalibrationWarning: says which of the two, and what to do.
        """
        tokens = np.stack([puzzle.tokens for puzzle in self.puzzles])
        identifiers = {puzzle.identifier for puzzle in self.puzzles}
        distinct = len({_key(entry) for entry in self.entries})
        if distinct < FEW_PUZZLES:
            _warn(f"{distinct} different puzzles are few to calibrate on ({self.source})")
            return
        most_common = np.bincount(tokens.ravel()).argmax()
        counts = (tokens == most_common).sum(1)
        if len(identifiers) == 1 and np.ptp(counts) == 0:
            _warn(
                f"the calibration puzzles are all alike ({self.source}): each holds its most "
                f"common token {counts[0]} times"
            )


def held_out_puzzles(task: Task, dataset: Path | None, count: int) -> PuzzleSet:
    """Choose held-out puzzles: the dataset's test split, the bundled set, or random tokens.

    Args:
        task: reads the puzzles.
        dataset: the run's dataset folder, or None.
        count: number of puzzles; the first ones are taken.

    Raises:
        PuzzleError: the source has no puzzles, or a line is not a puzzle.
    """
    split = _split(dataset, "test")
    bundled = _bundled(task, "held_out")
    if split is not None:
        puzzles = PuzzleSet(_read(task, split, count), str(split))
    elif bundled is not None:
        source = f"the bundled held-out {task.name} puzzles"
        puzzles = PuzzleSet(_read(task, bundled, count), source)
    else:
        entries = random_entries(task.config, RANDOM_PUZZLES)
        puzzles = PuzzleSet(entries, f"{RANDOM_PUZZLES} puzzles of random tokens")
    if not puzzles.entries:
        raise PuzzleError(f"{puzzles.source} holds no puzzles.")
    return puzzles


def calibration_puzzles(
    task: Task,
    path: Path | None,
    dataset: Path | None,
    held_out: PuzzleSet,
    count: int | None = None,
) -> PuzzleSet:
    """Choose calibration puzzles: your own, the dataset's train split, or the bundled set.

    Puzzles that are also held out are skipped, so that no accuracy is measured on them.

    Args:
        task: reads the puzzles.
        path: your own puzzles, a text file or a dataset folder, or None.
        dataset: the run's dataset folder, or None.
        held_out: the puzzles to skip.
        count: number of puzzles, of which the first are taken; None: all.

    Raises:
        CalibrationError: there are none, or all of them are held out.
        PuzzleError: a line is not a puzzle.
    """
    bundled = _bundled(task, "calibration")
    chosen = path or _split(dataset, "train") or bundled
    if chosen is None:
        raise CalibrationError(
            f"calibration needs puzzles, and none are bundled for the task {task.name} with "
            f"{task.config.seq_len} cells. Pass puzzles like those the model will see with "
            "--calibration PUZZLES (a text file or a dataset folder), or the dataset's folder with "
            "--dataset."
        )
    source = f"the bundled {task.name} calibration puzzles" if chosen == bundled else str(chosen)
    held_out_keys = {_key(entry) for entry in held_out.entries}
    entries: list[Entry] = []
    skipped = 0
    for entry in _entries(task, chosen):
        if _key(entry) in held_out_keys:
            skipped += 1
            continue
        entries.append(entry)
        if len(entries) == count:
            break
    if entries:
        return PuzzleSet(entries, source)
    if skipped:
        raise CalibrationError(
            f"{chosen} holds {skipped} puzzles, and every one of them is held out for measuring "
            "accuracy. Pass others."
        )
    raise CalibrationError(f"{chosen} holds no puzzles to calibrate on.")


def random_entries(config: ModelConfig, count: int) -> list[Entry]:
    """Draw puzzles of uniformly random token ids from 1 up, the same at every call.

    Args:
        config: the model's configuration.
        count: number of puzzles.
    """
    rng = np.random.default_rng(0)
    low = 1 if config.vocab_size > 1 else 0
    tokens = rng.integers(low, config.vocab_size, (count, config.seq_len), dtype=np.int32)
    identifiers = rng.integers(0, config.num_puzzle_identifiers, count)
    entries = []
    for index in range(count):
        puzzle = Puzzle(tokens[index], int(identifiers[index]))
        entries.append(Entry(puzzle, line=index + 1))
    return entries


def _bundled(task: Task, split: Split) -> Path | None:
    return reference_puzzles(task.name, split, task.config.seq_len)


def _split(dataset: Path | None, name: str) -> Path | None:
    """The split's folder, where the dataset is a folder and the split has its arrays."""
    if dataset is None or not dataset.is_dir():
        return None
    folder = dataset / name
    has_arrays = any(folder.glob("*__inputs.npy"))
    return folder if has_arrays else None


def _read(task: Task, path: Path, count: int) -> list[Entry]:
    return list(islice(_entries(task, path), count))


def _entries(task: Task, path: Path) -> Iterator[Entry]:
    """Every puzzle; a malformed line is an error, since figures would not be what they seem.

    Raises:
        PuzzleError: names file, line and the problem.
    """
    for item in task.read(path):
        if isinstance(item, BadLine):
            raise PuzzleError(f"{path}, {item}.")
        yield item


def _warn(problem: str) -> None:
    warnings.warn(
        f"{problem}; the ranges may not fit the puzzles that the model will see. Pass more and "
        "more varied puzzles with --calibration.",
        CalibrationWarning,
        stacklevel=3,
    )


def _key(entry: Entry) -> tuple[int, bytes]:
    return entry.puzzle.identifier, entry.puzzle.tokens.astype(np.int32).tobytes()
