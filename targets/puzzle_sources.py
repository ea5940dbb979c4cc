"""Choose calibration puzzles and held-out puzzles; the two never overlap."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from trm_edge.config import ModelConfig
from trm_edge.errors import CalibrationError, CalibrationWarning, PuzzleError
from trm_edge.evaluation.random_tokens import RANDOM_PUZZLES as RANDOM_PUZZLES
from trm_edge.evaluation.random_tokens import random_entries as random_entries
from trm_edge.puzzle import Puzzle
from trm_edge.targets.unsolved_puzzles import UnsolvedPuzzles
from trm_edge.tasks.base import Entry, Task
from trm_edge.tasks.dataset import read_dataset

logger = logging.getLogger(__name__)

PARITY_PUZZLES = 512
CONTROL_PUZZLES = 2000  # with accuracy control: showing a small drop takes many puzzles
FEW_PUZZLES = 16  # fewer calibration puzzles than this are warned about
SAMPLE_PUZZLES = 64  # of a dataset, to tell its task by
_ALIKE = 0.97  # share of cells with their place's most common token: more is a warning


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

    @property
    def answered(self) -> bool:
        """True where the right answer to every puzzle is known."""
        return all(entry.answer is not None for entry in self.entries)

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
        share = _agreement(tokens)
        if len(identifiers) == 1 and share > _ALIKE:
            _warn(
                f"the calibration puzzles are all alike ({self.source}): {100 * share:.1f} % of "
                "their cells hold the same token in nearly every puzzle"
            )


def held_out_puzzles(
    task: Task,
    dataset: Path | None,
    count: int,
    *,
    path: Path | None = None,
    seed: int | None = None,
    calibration: Path | None = None,
) -> PuzzleSet:
    """Choose held-out puzzles: your own, the dataset's test split, the bundled set, or random.

    Where some have answers, those without are left out: accuracy is judged on known answers.

    Args:
        task: reads the puzzles.
        dataset: the run's dataset folder, or None.
        count: the most puzzles to hold out.
        path: your own puzzles, a text or CSV file or a dataset folder, or None.
        seed: draw the puzzles at random by this seed; None: take the first ones.
        calibration: your own calibration puzzles, or None. With a seed and no other source, at
            most half of them (or of the dataset's train split) are held out.

    Raises:
        PuzzleError: the source has no puzzles, or a line is not a puzzle.
    """
    chosen = path or _split(dataset, "test")
    for_calibration = calibration or _split(dataset, "train")
    if chosen is None and seed is not None:
        chosen = for_calibration
    source = str(chosen)
    if chosen is None:
        chosen = task.bundled_puzzles("held_out")
        source = f"the bundled held-out {task.name} puzzles"
    if chosen is None:
        entries = random_entries(task.config, RANDOM_PUZZLES)
        return PuzzleSet(entries, f"{RANDOM_PUZZLES} puzzles of random tokens")
    unsolved = UnsolvedPuzzles(task, chosen)
    if seed is None:
        entries = list(islice(unsolved, count))
    else:
        entries = _sample(unsolved, count, seed, keep_half=chosen == for_calibration)
    unsolved.report(PuzzleError)
    if not entries:
        raise PuzzleError(f"{source} holds no puzzles.")
    return PuzzleSet(_with_answers(entries, source), source)


def calibration_puzzles(
    task: Task,
    path: Path | None,
    dataset: Path | None,
    held_out: PuzzleSet,
    count: int | None = None,
) -> PuzzleSet:
    """Choose calibration puzzles: your own, the dataset's train split, or the bundled set.

    Puzzles that are also held out are skipped, so that no accuracy is measured on them, and so
    are solved grids: some files give every puzzle's solution in a line of its own.

    Args:
        task: reads the puzzles.
        path: your own puzzles, a text file or a dataset folder, or None.
        dataset: the run's dataset folder, or None.
        held_out: the puzzles to skip.
        count: number of puzzles, of which the first are taken; None: all.

    Raises:
        CalibrationError: there are none, or all of them are held out or solved.
        PuzzleError: a line is not a puzzle.
    """
    bundled = task.bundled_puzzles("calibration")
    chosen = path or _split(dataset, "train") or bundled
    if chosen is None:
        raise CalibrationError(
            f"calibration needs puzzles, and none are bundled for the task {task.name} with "
            f"{task.config.seq_len} cells. Pass puzzles like those the model will see with "
            "--calibration PUZZLES (a text or CSV file or a dataset folder), or the dataset's "
            "folder with --dataset."
        )
    source = f"the bundled {task.name} calibration puzzles" if chosen == bundled else str(chosen)
    held_out_keys = {_key(entry) for entry in held_out.entries}
    entries: list[Entry] = []
    skipped = 0
    unsolved = UnsolvedPuzzles(task, chosen)
    for entry in unsolved:
        if _key(entry) in held_out_keys:
            skipped += 1
            continue
        if len(entries) == count:
            source = f"the first {count} of {source}"
            break
        entries.append(entry)
    unsolved.report(CalibrationError)
    if entries:
        return PuzzleSet(entries, source)
    if skipped:
        raise CalibrationError(
            f"{chosen} holds {skipped} puzzles, and every one of them is held out for measuring "
            "accuracy. Pass others, or split these with --held-out-seed N."
        )
    raise CalibrationError(f"{chosen} holds no puzzles to calibrate on.")


def sample_puzzles(config: ModelConfig, folders: Iterable[Path | None]) -> list[Puzzle]:
    """Read a few puzzles of the first dataset folder, to tell the task by.

    Args:
        config: the model's configuration.
        folders: paths that may be dataset folders.

    Raises:
        PuzzleError: the folder's arrays do not fit the model.
    """
    for folder in folders:
        if folder is None or not folder.is_dir():
            continue
        splits = [part for part in (folder, folder / "test", folder / "train") if _arrays(part)]
        if not splits:
            continue
        rows = read_dataset(splits[0], config.seq_len, config.vocab_size)
        return [Puzzle(row.tokens, row.identifier) for row in islice(rows, SAMPLE_PUZZLES)]
    return []


def _sample(entries: Iterable[Entry], count: int, seed: int, *, keep_half: bool) -> list[Entry]:
    """Draw puzzles at random in one pass; ``keep_half`` leaves at least half for others."""
    rng = np.random.default_rng(seed)
    sample: list[Entry] = []
    total = 0
    for entry in entries:
        total += 1
        if len(sample) < count:
            sample.append(entry)
            continue
        index = int(rng.integers(total))
        if index < count:
            sample[index] = entry
    drawn = [sample[index] for index in rng.permutation(len(sample))]
    if keep_half:
        return drawn[: max(1, total // 2)]
    return drawn


def _with_answers(entries: list[Entry], source: str) -> list[Entry]:
    answered = [entry for entry in entries if entry.answer is not None]
    if not answered or len(answered) == len(entries):
        return entries
    logger.warning(
        "%d of %d held-out puzzles in %s have no answer and are left out",
        len(entries) - len(answered),
        len(entries),
        source,
    )
    return answered


def _agreement(tokens: np.ndarray) -> float:
    """Share of the cells that hold the most common token of their place."""
    shares: Sequence[float] = [np.bincount(cell).max() / len(cell) for cell in tokens.T]
    return float(np.mean(shares))


def _split(dataset: Path | None, name: str) -> Path | None:
    """The split of a dataset folder: its folder of arrays, or a file of puzzles."""
    if dataset is None or not dataset.is_dir():
        return None
    folder = dataset / name
    if _arrays(folder):
        return folder
    for suffix in (".csv", ".csv.gz", ".txt"):
        file = dataset / f"{name}{suffix}"
        if file.is_file():
            return file
    return None


def _arrays(folder: Path) -> bool:
    return any(folder.glob("*__inputs.npy"))


def _warn(problem: str) -> None:
    warnings.warn(
        f"{problem}; the ranges may not fit the puzzles that the model will see. Pass more and "
        "more varied puzzles with --calibration.",
        CalibrationWarning,
        stacklevel=3,
    )


def _key(entry: Entry) -> tuple[int, bytes]:
    return entry.puzzle.identifier, entry.puzzle.tokens.astype(np.int32).tobytes()
