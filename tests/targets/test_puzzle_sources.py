from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from tests.bugs import BUGS
from tests.logs import logged
from tests.toys import BASE
from trm_edge.backends.fake import FAKE_CONFIG
from trm_edge.errors import CalibrationError, CalibrationWarning, PuzzleError
from trm_edge.puzzle import Puzzle
from trm_edge.reference import Split, reference_puzzles
from trm_edge.targets.puzzle_sources import (
    RANDOM_PUZZLES,
    PuzzleSet,
    calibration_puzzles,
    held_out_puzzles,
    random_entries,
    sample_puzzles,
)
from trm_edge.tasks import task_for
from trm_edge.tasks.base import Entry, Task
from trm_edge.tasks.maze import MazeTask
from trm_edge.tasks.maze_cells import WAY
from trm_edge.tasks.sudoku import SudokuTask
from trm_edge.tasks.tokens import TokenTask

SUDOKU = SudokuTask(FAKE_CONFIG)
TOKENS = TokenTask(BASE)
MAZE = MazeTask(replace(FAKE_CONFIG, seq_len=169, vocab_size=6))


def keys(entries: list[Entry]) -> set[bytes]:
    return {entry.puzzle.tokens.tobytes() for entry in entries}


def bundled(task: Task, split: Split) -> list[Entry]:
    path = reference_puzzles(task.name, split, task.config.seq_len)
    assert path is not None
    entries = [item for item in task.read(path) if isinstance(item, Entry)]
    assert len(entries) == len(path.read_text().splitlines()) - 1
    return entries


@pytest.mark.parametrize("task", [SUDOKU, MAZE], ids=lambda task: task.name)
def test_bundled_splits_are_disjoint_and_answered(task: Task) -> None:
    splits = {split: bundled(task, split) for split in get_args(Split)}
    assert {split: len(entries) for split, entries in splits.items()} == {
        "calibration": 256,
        "held_out": 2000,
        "examples": {"sudoku": 5, "maze": 4}[task.name],
    }
    puzzles: list[bytes] = []
    answers: list[bytes] = []
    for entry in chain.from_iterable(splits.values()):
        assert entry.answer is not None
        assert task.problem(entry.puzzle.tokens, entry.answer) is None
        puzzles.append(entry.puzzle.tokens.tobytes())
        answers.append(entry.answer.tobytes())
    assert len(set(puzzles)) == len(set(answers)) == len(puzzles)


def test_bundled_puzzles_are_like_the_training_puzzles() -> None:
    for split in get_args(Split):
        for entry in bundled(SUDOKU, split):
            assert 36 <= (entry.puzzle.tokens == 1).sum() <= 56
        for entry in bundled(MAZE, split):
            assert entry.answer is not None
            assert (entry.answer == WAY).sum() + 1 >= 8


@pytest.mark.parametrize("task", [MazeTask(replace(MAZE.config, seq_len=900)), TOKENS])
def test_puzzles_of_another_size_are_not_bundled(task: Task) -> None:
    held_out = held_out_puzzles(task, None, 100)
    assert held_out.source == f"{RANDOM_PUZZLES} puzzles of random tokens"
    message = f"none are bundled for the task {task.name} with {task.config.seq_len} cells"
    with pytest.raises(CalibrationError, match=message):
        calibration_puzzles(task, None, None, held_out, 10)


def test_sudoku_defaults_to_the_bundled_sets() -> None:
    held_out = held_out_puzzles(SUDOKU, None, 20)
    chosen = calibration_puzzles(SUDOKU, None, None, held_out, 30)
    assert (len(held_out.entries), len(chosen.entries)) == (20, 30)
    assert "bundled" in held_out.source
    assert "bundled" in chosen.source


def test_a_dataset_s_own_splits_come_first(toy_dataset: Path) -> None:
    held_out = held_out_puzzles(TOKENS, toy_dataset, 100)
    chosen = calibration_puzzles(TOKENS, None, toy_dataset, held_out, 100)
    assert held_out.source.endswith("test")
    assert chosen.source.endswith("train")
    assert not keys(held_out.entries) & keys(chosen.entries)


def test_held_out_puzzles_are_not_calibrated_on(toy_dataset: Path, tmp_path: Path) -> None:
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
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(CalibrationError, match="holds no puzzles to calibrate on"):
        calibration_puzzles(TOKENS, tmp_path / "empty.txt", None, held_out, 10)


def test_a_malformed_line_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("1 2 3\n")
    held_out = held_out_puzzles(TOKENS, None, 100)
    with pytest.raises(PuzzleError, match=r"p\.txt, line 1: expected 9 token ids, but got 3"):
        calibration_puzzles(TOKENS, tmp_path / "p.txt", None, held_out, 10)


def test_random_tokens_are_the_same_every_time() -> None:
    assert keys(random_entries(BASE, 3)) == keys(random_entries(BASE, 3))


def sudoku_csv(path: Path, split: Split, count: int, *, answers: bool = True) -> Path:
    """The first bundled puzzles of a split as a CSV file."""
    lines = ["puzzle,solution"]
    for entry in bundled(SUDOKU, split)[:count]:
        assert entry.answer is not None
        answer = SUDOKU.text(entry.answer) if answers else ""
        lines.append(f"{SUDOKU.text(entry.puzzle.tokens)},{answer}")
    path.write_text("\n".join(lines))
    return path


def test_held_out_puzzles_from_a_file(tmp_path: Path) -> None:
    path = sudoku_csv(tmp_path / "mine.csv", "examples", 4)
    held_out = held_out_puzzles(SUDOKU, None, 3, path=path)
    assert held_out.source == str(path)
    assert len(held_out.entries) == 3
    assert held_out.answered


def test_a_file_in_the_dataset_s_folder_is_its_split(tmp_path: Path) -> None:
    sudoku_csv(tmp_path / "test.csv", "examples", 4)
    sudoku_csv(tmp_path / "train.csv", "calibration", 20)
    held_out = held_out_puzzles(SUDOKU, tmp_path, 100)
    assert held_out.source.endswith("test.csv")
    chosen = calibration_puzzles(SUDOKU, None, tmp_path, held_out, 100)
    assert chosen.source.endswith("train.csv")


def test_a_seed_splits_one_source_in_two(tmp_path: Path) -> None:
    path = sudoku_csv(tmp_path / "all.csv", "calibration", 40)
    held_out = held_out_puzzles(SUDOKU, None, 100, path=path, seed=1, calibration=path)
    chosen = calibration_puzzles(SUDOKU, path, None, held_out, None)
    assert (len(held_out.entries), len(chosen.entries)) == (20, 20)
    assert not keys(held_out.entries) & keys(chosen.entries)
    again = held_out_puzzles(SUDOKU, None, 100, path=path, seed=1, calibration=path)
    assert keys(again.entries) == keys(held_out.entries)
    other = held_out_puzzles(SUDOKU, None, 100, path=path, seed=2, calibration=path)
    assert keys(other.entries) != keys(held_out.entries)
    few = held_out_puzzles(SUDOKU, None, 5, path=path, seed=1, calibration=path)
    assert len(keys(few.entries)) == 5


def test_a_seed_alone_splits_the_calibration_puzzles(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    lines = [TOKENS.text(entry.puzzle.tokens) for entry in random_entries(BASE, 12)]
    path.write_text("\n".join(lines))
    held_out = held_out_puzzles(TOKENS, None, 100, seed=3, calibration=path)
    chosen = calibration_puzzles(TOKENS, path, None, held_out, None)
    assert (len(held_out.entries), len(chosen.entries)) == (6, 6)


def test_puzzles_without_answers_are_left_out_where_others_have_them(tmp_path: Path) -> None:
    path = sudoku_csv(tmp_path / "mine.csv", "examples", 4)
    puzzle = bundled(SUDOKU, "calibration")[0].puzzle
    path.write_text(f"{path.read_text()}\n{SUDOKU.text(puzzle.tokens)},")
    with logged() as lines:
        held_out = held_out_puzzles(SUDOKU, None, 100, path=path)
    assert held_out.answered
    assert any("1 of 5 held-out puzzles" in line for line in lines)
    only = sudoku_csv(tmp_path / "only.csv", "examples", 4, answers=False)
    assert not held_out_puzzles(SUDOKU, None, 100, path=only).answered


def test_solved_grids_are_not_calibrated_on(tmp_path: Path) -> None:
    path = tmp_path / "alternating.txt"
    lines = []
    for entry in bundled(SUDOKU, "calibration")[:20]:
        assert entry.answer is not None
        lines += [SUDOKU.text(entry.puzzle.tokens), SUDOKU.text(entry.answer)]
    path.write_text("\n".join(lines))
    held_out = held_out_puzzles(SUDOKU, None, 4)
    chosen = calibration_puzzles(SUDOKU, path, None, held_out, None)
    assert len(chosen.entries) == 20
    path.write_text("\n".join(lines[1::2]))
    with pytest.raises(CalibrationError, match=r"20 of 20 puzzles in .* have no blank: are these"):
        calibration_puzzles(SUDOKU, path, None, held_out, None)
    with pytest.raises(PuzzleError, match="have no blank: are these solutions"):
        held_out_puzzles(SUDOKU, None, 4, path=path)


@pytest.mark.parametrize("task", [SUDOKU, MAZE], ids=lambda task: task.name)
def test_the_bundled_puzzles_are_varied_enough(task: Task) -> None:
    held_out = held_out_puzzles(task, None, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calibration_puzzles(task, None, None, held_out, 64).warn_where_weak()


def test_puzzles_that_are_all_alike_are_warned_about() -> None:
    puzzles = [bundled(SUDOKU, "calibration")[0].puzzle.tokens.copy() for _ in range(40)]
    for index, tokens in enumerate(puzzles):
        tokens[index] = 1 + tokens[index] % 10
    entries = [Entry(Puzzle(tokens), 1) for tokens in puzzles]
    with pytest.warns(CalibrationWarning, match="are all alike"):
        PuzzleSet(entries, "mine").warn_where_weak()


def test_six_ids_on_a_square_are_a_maze_only_if_the_puzzles_are() -> None:
    config = replace(FAKE_CONFIG, seq_len=16, vocab_size=6)
    sample = sample_puzzles(config, (None, BUGS / "sudoku4x4_dataset"))
    assert len(sample) == 8
    assert task_for(config, sample).name != "maze"
    mazes = [entry.puzzle for entry in bundled(MAZE, "examples")]
    assert task_for(MAZE.config, mazes).name == "maze"
    assert task_for(MAZE.config).name == "maze"
    assert sample_puzzles(config, (BUGS / "tokens_task.txt",)) == []


def test_identifiers_that_the_weights_do_not_have_are_left_out(tmp_path: Path) -> None:
    """A dataset that was built again numbers its puzzles anew, beyond the model's table."""
    (tmp_path / "test").mkdir()
    np.save(tmp_path / "test" / "all__inputs.npy", np.ones((3, 9), np.int32))
    identifiers = tmp_path / "test" / "all__puzzle_identifiers.npy"
    np.save(identifiers, np.array([0, 7, 2]))
    with logged() as lines:
        held_out = held_out_puzzles(TOKENS, tmp_path, 10)
    assert [puzzle.identifier for puzzle in held_out.puzzles] == [0, 2]
    (line,) = [line for line in lines if line.startswith("warning: ")]
    assert "1 of 3 puzzles in" in line
    assert "or is another one (line 2: puzzle identifier must lie in 0..2, but got 7)." in line
    assert line.endswith(" They are left out.")
    np.save(identifiers, np.array([3, 4, 5]))
    with pytest.raises(PuzzleError, match=r"3 of 3 puzzles .* Pass the dataset of the run"):
        held_out_puzzles(TOKENS, tmp_path, 10)
