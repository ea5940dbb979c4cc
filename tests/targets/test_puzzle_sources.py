from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.toys import BASE
from trm_edge.backends.fake import FAKE_CONFIG
from trm_edge.errors import CalibrationError, PuzzleError
from trm_edge.reference import reference_puzzles
from trm_edge.targets.puzzle_sources import (
    RANDOM_PUZZLES,
    calibration_puzzles,
    held_out_puzzles,
    random_entries,
)
from trm_edge.tasks.base import Entry
from trm_edge.tasks.sudoku import SudokuTask
from trm_edge.tasks.tokens import TokenTask

SUDOKU, TOKENS = SudokuTask(FAKE_CONFIG), TokenTask(BASE)


def keys(entries: list[Entry]) -> set[bytes]:
    return {entry.puzzle.tokens.tobytes() for entry in entries}


def test_shipped_splits_are_disjoint_and_answered() -> None:
    splits = {}
    for split in ("calibration", "held_out", "examples"):
        path = reference_puzzles("sudoku", split)
        assert path is not None
        entries = [item for item in SUDOKU.read(path) if isinstance(item, Entry)]
        for entry in entries:
            assert entry.answer is not None
            assert SUDOKU.problem(entry.puzzle.tokens, entry.answer) is None
            assert 36 <= (entry.puzzle.tokens == 1).sum() <= 56
        splits[split] = {e.answer.tobytes() for e in entries if e.answer is not None}
    assert len(splits["held_out"]) == 2000
    assert len(splits["calibration"]) == 256
    assert not splits["held_out"] & splits["calibration"]
    assert not splits["held_out"] & splits["examples"]


def test_sudoku_defaults_to_the_shipped_sets() -> None:
    held_out = held_out_puzzles(SUDOKU, None, 20)
    chosen = calibration_puzzles(SUDOKU, None, None, held_out, 30)
    assert (len(held_out.entries), len(chosen.entries)) == (20, 30)
    assert "shipped" in held_out.source
    assert "shipped" in chosen.source


def test_a_dataset_s_own_splits_come_first(toy_dataset: Path) -> None:
    held_out = held_out_puzzles(TOKENS, toy_dataset, 100)
    chosen = calibration_puzzles(TOKENS, None, toy_dataset, held_out, 100)
    assert held_out.source.endswith("test")
    assert chosen.source.endswith("train")
    assert not keys(held_out.entries) & keys(chosen.entries)


def test_what_is_held_out_is_left_out(toy_dataset: Path, tmp_path: Path) -> None:
    held_out = held_out_puzzles(TOKENS, toy_dataset, 100)
    lines = [TOKENS.text(puzzle.tokens) for puzzle in held_out.puzzles]
    path = tmp_path / "puzzles.txt"
    path.write_text("\n".join([*lines, TOKENS.text(np.ones(9, int))]))
    chosen = calibration_puzzles(TOKENS, path, toy_dataset, held_out, 100)
    assert len(chosen.entries) == 1
    path.write_text("\n".join(lines))
    with pytest.raises(CalibrationError, match="8 puzzles, and every one of them is held out"):
        calibration_puzzles(TOKENS, path, toy_dataset, held_out, 100)


def test_nothing_to_calibrate_on(tmp_path: Path) -> None:
    held_out = held_out_puzzles(TOKENS, None, 100)
    assert len(held_out.entries) == RANDOM_PUZZLES
    with pytest.raises(CalibrationError, match="none are shipped for the task tokens"):
        calibration_puzzles(TOKENS, None, None, held_out, 10)
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(CalibrationError, match="holds no puzzle to calibrate on"):
        calibration_puzzles(TOKENS, tmp_path / "empty.txt", None, held_out, 10)


def test_a_malformed_line_is_an_error_here(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("1 2 3\n")
    held_out = held_out_puzzles(TOKENS, None, 100)
    with pytest.raises(PuzzleError, match=r"p\.txt, line 1: expected 9 token ids, but got 3"):
        calibration_puzzles(TOKENS, tmp_path / "p.txt", None, held_out, 10)


def test_random_tokens_are_the_same_every_time() -> None:
    assert keys(random_entries(BASE, 3)) == keys(random_entries(BASE, 3))
