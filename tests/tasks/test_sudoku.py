"""Sudoku: every text format, datasets, the judgement of answers, and pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.toys import BASE
from trm_edge.backends.fake import FAKE_CONFIG
from trm_edge.errors import ConfigError, PuzzleError
from trm_edge.tasks import task_for, task_named
from trm_edge.tasks.base import BadLine, Entry, UnknownIdentifier
from trm_edge.tasks.sudoku import SudokuTask

TASK = SudokuTask(FAKE_CONFIG)
PUZZLE = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"
ANSWER = "534678912672195348198342567859761423426853791713924856961537284287419635345286179"


def entries(text: str) -> list[Entry | BadLine]:
    return list(TASK.read_lines(text.splitlines(keepends=True)))


def only(text: str) -> Entry:
    (entry,) = entries(text)
    assert isinstance(entry, Entry), str(entry)
    return entry


def tokens_of(text: str) -> np.ndarray:
    return np.array([1 if char in ".0" else int(char) + 1 for char in text], np.int32)


def test_tokens_are_the_published_vocabulary() -> None:
    tokens = only(PUZZLE).puzzle.tokens
    assert tokens[:6].tolist() == [6, 4, 1, 1, 8, 1]  # 5 3 . . 7 .
    assert TASK.text(tokens) == PUZZLE
    np.testing.assert_array_equal(tokens, only(PUZZLE.replace(".", "0")).puzzle.tokens)


@given(st.lists(st.integers(1, 10), min_size=81, max_size=81))
def test_text_and_tokens_round_trip(ids: list[int]) -> None:
    tokens = np.array(ids, np.int32)
    (entry,) = entries(TASK.text(tokens))
    if isinstance(entry, Entry):
        np.testing.assert_array_equal(entry.puzzle.tokens, tokens)
    else:
        assert "is given" in entry.reason  # a clash is all that can be wrong


@given(st.text(max_size=200))
def test_any_text_is_a_puzzle_or_a_reason(text: str) -> None:
    for item in entries(text):
        assert isinstance(item, Entry) or item.reason


@given(st.lists(st.binary(max_size=120), max_size=5))
def test_any_bytes_in_a_file(lines: list[bytes]) -> None:
    text = b"\n".join(lines).decode("utf-8", "replace")
    for item in entries(text):
        assert isinstance(item, (Entry, BadLine))


@pytest.mark.parametrize(
    "text",
    [
        f"puzzle,solution\n{PUZZLE},{ANSWER}\n",
        f"\ufeffpuzzle,solution\r\n{PUZZLE},{ANSWER}\r\n",
        f'quizzes,solutions\n"{PUZZLE}","{ANSWER}"\n',
        f"source,question,answer,rating\ntdoku,{PUZZLE},{ANSWER},12\n",
        f"{PUZZLE},{ANSWER}\n",
    ],
)
def test_reads_the_tables_that_are_around(text: str) -> None:
    entry = only(text)
    assert TASK.text(entry.puzzle.tokens) == PUZZLE
    assert entry.answer is not None
    assert TASK.text(entry.answer) == ANSWER


def test_comments_and_blank_lines_are_left_out_of_the_count_but_not_of_the_numbers() -> None:
    items = entries(f"# two puzzles\n\n{PUZZLE}\nnonsense\n{PUZZLE}\n")
    assert [item.line for item in items] == [3, 4, 5]
    assert isinstance(items[1], BadLine)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (PUZZLE[:-1], "expected 81 characters, but got 80"),
        (
            PUZZLE[:-1] + "x",
            "expected digits and '.' or '0' for blanks, but got 'x' at row 9, column 9",
        ),
        ("55" + "." * 79, "row 1 is given 5 twice"),
        ("5........5" + "." * 71, "column 1 is given 5 twice"),
        ("5.........5" + "." * 70, "box 1 is given 5 twice"),
        (f"{PUZZLE},{ANSWER[:-1]}", "answer: expected 81 characters, but got 80"),
        (f"{PUZZLE},{PUZZLE}", "answer: holds blanks"),
        (f"{PUZZLE},{'9' + ANSWER[1:]}", "answer: contradicts the givens"),
    ],
)
def test_a_malformed_line_says_what_is_wrong(line: str, reason: str) -> None:
    (item,) = entries(line)
    assert item == BadLine(1, reason)
    assert str(item) == f"line 1: {reason}"


def test_a_table_without_a_column_of_puzzles() -> None:
    (item,) = entries(f"board,rating\n{PUZZLE},3\n")
    assert isinstance(item, BadLine)
    assert (
        "does not name a column of puzzles; expected puzzle,solution or question,answer"
        in item.reason
    )


def test_a_mistake_in_the_first_line_makes_it_no_header() -> None:
    first, second = entries(f"x{PUZZLE[1:]},{ANSWER}\n{PUZZLE},{ANSWER}\n")
    assert isinstance(first, BadLine)
    assert "but got 'x' at row 1, column 1" in first.reason
    assert isinstance(second, Entry)


def test_a_row_with_fields_missing() -> None:
    first, second = entries(f"puzzle,solution\n{PUZZLE}\n{PUZZLE},{ANSWER}\n")
    assert first == BadLine(2, "expected 2 fields, but got 1")
    assert isinstance(second, Entry)


def test_judges_answers() -> None:
    puzzle, answer = tokens_of(PUZZLE), tokens_of(ANSWER)
    assert TASK.problem(puzzle, answer) is None
    wrong = answer.copy()
    wrong[2] = 1
    assert TASK.problem(puzzle, wrong) == "row 1, column 3 does not hold a digit"
    wrong[2] = answer[3]
    assert TASK.problem(puzzle, wrong) == "row 1 holds 6 twice"
    wrong = answer.copy()
    wrong[0] = 2
    assert TASK.problem(puzzle, wrong) == "row 1, column 1 was given and has been changed"


def write_dataset(folder: Path, **arrays: np.ndarray) -> Path:
    folder.mkdir(parents=True)
    for name, array in arrays.items():
        np.save(folder / f"all__{name}.npy", array)
    return folder.parent


def test_reads_dataset_folders(tmp_path: Path) -> None:
    inputs = np.stack([tokens_of(PUZZLE)] * 3).astype(np.uint8)
    labels = np.stack([tokens_of(ANSWER)] * 3).astype(np.uint8)
    folder = write_dataset(
        tmp_path / "test",
        inputs=inputs,
        labels=labels,
        puzzle_identifiers=np.array([0, 7], np.int32),
        puzzle_indices=np.array([0, 2, 3]),
    )
    first, second, third = TASK.read(folder)
    assert isinstance(first, Entry)
    assert isinstance(second, Entry)
    assert first.answer is not None
    assert TASK.text(first.answer) == ANSWER
    assert third == UnknownIdentifier(3, "puzzle identifier must lie in 0..0, but got 7")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"inputs": np.ones((2, 80), np.uint8)}, "rows of 80 tokens, but the model takes 81"),
        ({"inputs": np.ones(81, np.uint8)}, "must be an integer array with 2 axes"),
        ({"inputs": np.ones((2, 81))}, "must be an integer array"),
        ({"inputs": np.full((2, 81), 11)}, r"row 1: token ids must lie in 0\.\.10, but got 11"),
        (
            {"inputs": np.ones((2, 81), int), "labels": np.ones((1, 81), int)},
            r"has shape \(1, 81\), but .* has \(2, 81\)",
        ),
        (
            {"inputs": np.ones((2, 81), int), "puzzle_identifiers": np.zeros(3, int)},
            "has 3 entries for 2 rows",
        ),
        (
            {
                "inputs": np.ones((2, 81), int),
                "puzzle_identifiers": np.zeros(1, int),
                "puzzle_indices": np.array([0, 3]),
            },
            "must rise from 0 to 2 with 2 entries, but has 2 and ends at 3",
        ),
    ],
)
def test_damaged_datasets(arrays: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "test", **arrays)
    with pytest.raises(PuzzleError, match=message):
        list(TASK.read(folder))


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "test"
    folder.mkdir()
    np.save(folder / "all__inputs.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(PuzzleError, match=r"cannot be read as a plain \.npy array"):
        list(TASK.read(tmp_path))


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(PuzzleError, match="is not a dataset folder"):
        list(TASK.read(tmp_path))
    with pytest.raises(PuzzleError, match=r"cannot read puzzles from .*absent"):
        list(TASK.read(tmp_path / "absent"))


def test_tasks_by_name_and_by_shape() -> None:
    assert task_for(FAKE_CONFIG).name == "sudoku"
    assert task_for(BASE).name == "tokens"
    assert task_named("tokens", FAKE_CONFIG).name == "tokens"
    with pytest.raises(ConfigError, match="no task 'chess'; the tasks are arc, maze, nano-sudoku"):
        task_named("chess", FAKE_CONFIG)
    with pytest.raises(ConfigError, match="81 cells and 11 token ids, but the model has seq_len 9"):
        task_named("sudoku", BASE)
