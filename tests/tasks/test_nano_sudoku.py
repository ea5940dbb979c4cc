"""Sudoku in nano-trm's canvas: its ids, sizes from 4x4 to 9x9, text, datasets and judgement."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.toys import BASE
from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError, PuzzleError
from trm_edge.puzzle import Puzzle
from trm_edge.tasks import task_for, task_named
from trm_edge.tasks.base import BadLine, Entry
from trm_edge.tasks.nano_sudoku import NanoSudokuTask

FOUR = "12..3..2.1..4.2."
FOUR_SOLVED = "1234341221434321"
SIX = "123456456123231564564231312645645312"
NINE = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"
NINE_SOLVED = "534678912672195348198342567859761423426853791713924856961537284287419635345286179"


def task_of(canvas: int, digits: int) -> NanoSudokuTask:
    return NanoSudokuTask(shape(canvas, digits))


def shape(canvas: int, digits: int) -> ModelConfig:
    return replace(BASE, seq_len=canvas * canvas, vocab_size=digits + 3)


MIXED = task_of(9, 9)


def test_a_small_grid_in_a_larger_canvas() -> None:
    task = task_of(6, 4)
    tokens = task.puzzle(FOUR).tokens.reshape(6, 6)
    assert tokens.tolist() == [
        [3, 4, 2, 2, 0, 0],
        [5, 2, 2, 4, 0, 0],
        [2, 3, 2, 2, 0, 0],
        [6, 2, 4, 2, 0, 0],
        [1, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]
    assert task.text(tokens.ravel()) == FOUR


def test_a_grid_as_large_as_its_canvas_has_no_end() -> None:
    tokens = MIXED.puzzle(NINE).tokens
    assert tokens[:4].tolist() == [7, 5, 2, 2]
    assert tokens.min() == 2
    assert MIXED.text(tokens) == NINE


@pytest.mark.parametrize(
    ("canvas", "digits", "expected"),
    [(4, 4, True), (6, 4, True), (9, 6, True), (11, 9, True), (16, 9, True), (30, 9, False)],
)
def test_is_detected_by_the_shape(canvas: int, digits: int, expected: bool) -> None:
    config = shape(canvas, digits)
    assert NanoSudokuTask.fits(config) is expected
    assert (task_for(config).name == "nano-sudoku") is expected
    assert task_named("nano-sudoku", config).name == "nano-sudoku"


@pytest.mark.parametrize(("canvas", "digits"), [(4, 6), (6, 5), (9, 8), (6, 9), (3, 4)])
def test_other_shapes_are_refused(canvas: int, digits: int) -> None:
    config = shape(canvas, digits)
    assert not NanoSudokuTask.fits(config)
    with pytest.raises(ConfigError, match="three other ids, but the model has seq_len"):
        NanoSudokuTask(config)


def test_puzzles_tell_it_from_other_tasks_of_the_shape() -> None:
    config = shape(9, 9)
    sudoku = MIXED.puzzle(NINE)
    assert task_for(config, [sudoku]).name == "nano-sudoku"
    assert task_for(config, [sudoku, Puzzle(np.full(81, 5, np.int32))]).name == "tokens"
    assert task_for(config, [Puzzle(np.zeros(81, np.int32))]).name == "tokens"


def test_one_file_may_mix_sizes_and_formats() -> None:
    rows = "\n".join(NINE[start : start + 9] for start in range(0, 81, 9))
    six = SIX.replace("1", ".")
    text = f"# mixed\n{FOUR},{FOUR_SOLVED}\n\n{rows}\n{six}\n12..\n3..2\n.1..\n4.2.\n"
    items = list(MIXED.read_lines(text.splitlines()))
    puzzles = [item for item in items if isinstance(item, Entry)]
    assert [MIXED.text(entry.puzzle.tokens) for entry in puzzles] == [
        FOUR,
        NINE,
        six,
        FOUR,
    ]
    assert [entry.line for entry in puzzles] == [2, 4, 13, 14]
    assert puzzles[0].answer is not None
    assert MIXED.text(puzzles[0].answer) == FOUR_SOLVED
    assert len(items) == 4


@pytest.mark.parametrize(("puzzle", "solution"), [(FOUR, FOUR_SOLVED), (NINE, NINE_SOLVED)])
def test_a_table_with_a_header(puzzle: str, solution: str) -> None:
    text = f"source,question,answer,rating\nx,{puzzle},{solution},3\n"
    (entry,) = MIXED.read_lines(text.splitlines())
    assert isinstance(entry, Entry)
    assert entry.answer is not None
    assert (MIXED.text(entry.puzzle.tokens), MIXED.text(entry.answer)) == (puzzle, solution)


def test_a_slip_is_named_for_the_largest_size() -> None:
    (item,) = MIXED.read_lines([NINE[:-1]])
    assert isinstance(item, BadLine)
    assert "expected 81 characters, but got 80" in item.reason
    with pytest.raises(PuzzleError, match="row 1 is given 1 twice"):
        MIXED.puzzle("11.." + "." * 12)


@given(st.text(max_size=200))
def test_any_text_is_a_puzzle_or_a_reason(text: str) -> None:
    for item in MIXED.read_lines(text.splitlines(keepends=True)):
        assert isinstance(item, Entry) or item.reason


@given(st.lists(st.integers(0, 11), min_size=81, max_size=81))
def test_any_prediction_is_written_drawn_and_judged(ids: list[int]) -> None:
    tokens = np.array(ids, np.int32)
    puzzle = MIXED.puzzle(FOUR).tokens
    assert len(MIXED.answer_text(puzzle, tokens)) == 16
    assert len(MIXED.text(tokens)) in (16, 36, 81)
    assert MIXED.draw(tokens, puzzle).count("\n") == 6
    assert MIXED.draw(tokens)
    MIXED.problem(puzzle, tokens)


def test_what_stands_around_the_grid_does_not_count() -> None:
    puzzle = MIXED.puzzle(FOUR).tokens
    answer = np.full((9, 9), 7, np.int32)
    answer[:4, :4] = np.array([int(digit) + 2 for digit in FOUR_SOLVED]).reshape(4, 4)
    assert MIXED.problem(puzzle, answer.ravel()) is None
    assert MIXED.answer_text(puzzle, answer.ravel()) == FOUR_SOLVED
    answer[0, 0] = 9
    assert MIXED.problem(puzzle, answer.ravel()) == "row 1, column 1 does not hold a digit"
    answer[0, 0] = 6
    assert MIXED.problem(puzzle, answer.ravel()) == "row 1, column 1 was given and has been changed"


def test_reads_a_folder_of_its_generator(tmp_path: Path) -> None:
    task = task_of(6, 4)
    entry = next(iter(task.read_lines([f"{FOUR},{FOUR_SOLVED}"])))
    assert isinstance(entry, Entry)
    assert entry.answer is not None
    labels = np.where(entry.answer == 0, -100, entry.answer)
    (tmp_path / "test").mkdir()
    np.save(tmp_path / "test" / "all__inputs.npy", entry.puzzle.tokens[None])
    np.save(tmp_path / "test" / "all__labels.npy", labels[None])
    np.save(tmp_path / "test" / "all__puzzle_identifiers.npy", np.zeros(1, np.int32))
    (read,) = task.read(tmp_path)
    assert isinstance(read, Entry)
    np.testing.assert_array_equal(read.puzzle.tokens, entry.puzzle.tokens)
    np.testing.assert_array_equal(read.answer, entry.answer)


def test_solved_grids_are_complete() -> None:
    assert MIXED.is_complete(Puzzle(MIXED.puzzle(NINE).tokens)) is False
    (item,) = MIXED.read_lines([NINE_SOLVED])
    assert "is a solved grid" in str(item)


def test_the_report_s_picture_is_the_canvas() -> None:
    assert MIXED.columns == 9
    assert MIXED.looks()[:4] == (("", "blank"), ("", "blank"), ("", "blank"), ("1", "digit"))
    assert len(MIXED.looks()) == 12


@pytest.mark.parametrize(("canvas", "digits"), [(4, 4), (6, 4), (6, 6), (9, 6), (9, 9), (11, 9)])
def test_augmentations_of_every_size_keep_the_rules(canvas: int, digits: int) -> None:
    task = task_of(canvas, digits)
    solved = {4: FOUR_SOLVED, 6: SIX, 9: NINE_SOLVED}
    for side, text in solved.items():
        if side > digits:
            continue
        puzzle = task.puzzle("." + text[1:]).tokens
        (item,) = task.read_lines([f".{text[1:]},{text}"])
        assert isinstance(item, Entry)
        assert item.answer is not None
        views = set()
        for chosen in task.augmentations(6):
            augmentation = chosen.for_puzzle(puzzle)
            view = augmentation.apply(puzzle)
            assert task.recognizes(Puzzle(view))  # the canvas around the grid is as before
            assert task.problem(view, augmentation.apply(item.answer)) is None
            np.testing.assert_array_equal(augmentation.invert(view), puzzle)
            views.add(view.tobytes())
        assert len(views) == 6


@pytest.mark.parametrize(("canvas", "digits", "count"), [(9, 9, 5), (12, 9, 5), (9, 6, 0)])
def test_the_bundled_sudokus_are_puzzles_of_models_of_that_size(
    canvas: int, digits: int, count: int
) -> None:
    task = task_of(canvas, digits)
    path = task.bundled_puzzles("examples")
    if not count:
        assert path is None
        return
    assert path is not None
    entries = list(task.read(path))
    assert len(entries) == count
    for entry in entries:
        assert isinstance(entry, Entry)
        assert entry.answer is not None
        assert task.recognizes(entry.puzzle)
        assert task.problem(entry.puzzle.tokens, entry.answer) is None
