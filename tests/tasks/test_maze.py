"""Mazes: every text format, the judgement of paths, and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, combinations, islice, repeat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from rich.text import Text

from trm_edge.backends.fake import FAKE_CONFIG
from trm_edge.errors import ConfigError
from trm_edge.tasks import task_for
from trm_edge.tasks.base import BadLine, Entry
from trm_edge.tasks.maze import MazeTask
from trm_edge.tasks.maze_cells import CHARACTERS, GOAL, OPEN, START, WALL, WAY


def maze_task(side: int) -> MazeTask:
    return MazeTask(replace(FAKE_CONFIG, seq_len=side**2, vocab_size=6))


TASK = maze_task(4)
PUZZLE = "S..###....#.#..G"
ANSWER = "Soo###oo..#o#..G"
PICTURE = "S..#\n##..\n..#.\n#..G\n"
OTHER = "G..###....#.#..S"


def entries(text: str, task: MazeTask = TASK) -> list[Entry | BadLine]:
    return list(task.read_lines(text.splitlines(keepends=True)))


def only(text: str, task: MazeTask = TASK) -> Entry:
    (entry,) = entries(text, task)
    assert isinstance(entry, Entry), str(entry)
    return entry


def tokens_of(text: str) -> NDArray[np.int32]:
    return np.array([CHARACTERS.index(char) for char in text], np.int32)


@st.composite
def mazes(draw: st.DrawFn, largest: int = 7) -> tuple[MazeTask, NDArray[np.int32]]:
    """Any square of walls and open cells with a start and a goal, joined or not."""
    side = draw(st.integers(2, largest))
    kinds = st.sampled_from([WALL, OPEN])
    tokens = np.array(draw(st.lists(kinds, min_size=side**2, max_size=side**2)), np.int32)
    start, goal = draw(st.lists(st.integers(0, side**2 - 1), min_size=2, max_size=2, unique=True))
    tokens[start], tokens[goal] = START, GOAL
    return maze_task(side), tokens


def ways(tokens: NDArray[np.int32]) -> list[tuple[int, ...]]:
    """Every shortest way from start to goal, as cells between them: all walks, by their length."""
    side = round(len(tokens) ** 0.5)
    start, goal = (int(np.flatnonzero(tokens == kind)[0]) for kind in (START, GOAL))
    passable: list[int] = np.flatnonzero(tokens != WALL).tolist()
    walks: list[tuple[int, ...]] = [(start,)]
    for _ in range(len(tokens)):
        arrived = [walk[1:-1] for walk in walks if walk[-1] == goal]
        if arrived:
            return arrived
        walks = [
            (*walk, cell)
            for walk in walks
            for cell in passable
            if abs(cell // side - walk[-1] // side) + abs(cell % side - walk[-1] % side) == 1
            and cell not in walk
        ]
    return []


def marked(tokens: NDArray[np.int32], cells: tuple[int, ...]) -> NDArray[np.int32]:
    answer = np.array(tokens)
    answer[list(cells)] = WAY
    return answer


# --- text --------------------------------------------------------------------------------------


def test_tokens_are_the_published_vocabulary() -> None:
    entry = only(f"{PUZZLE},{ANSWER}")
    assert entry.puzzle.tokens[:5].tolist() == [3, 2, 2, 1, 1]  # S . . # #
    assert entry.answer is not None
    assert entry.answer[:5].tolist() == [3, 5, 5, 1, 1]
    assert TASK.text(entry.answer) == ANSWER


def spaced(text: str) -> str:
    return text.replace(".", " ")


@pytest.mark.parametrize(
    "text",
    [
        PUZZLE,
        spaced(PUZZLE),
        f"{PUZZLE},{ANSWER}\n",
        f"puzzle,solution\n{PUZZLE},{ANSWER}\n",
        f"\ufeffsource,question,answer,rating\r\nx,{spaced(PUZZLE)},{spaced(ANSWER)},6\r\n",
        PICTURE,
        f"\n\n{PICTURE}\n   \n",
        spaced(PICTURE),
        spaced(PICTURE).replace("## \n", "##\n"),
        PICTURE.replace("\n", "\r\n"),
        Text.from_markup(TASK.draw(tokens_of(PUZZLE))).plain,
    ],
)
def test_reads_mazes_as_they_are_around(text: str) -> None:
    entry = only(text)
    assert TASK.text(entry.puzzle.tokens) == PUZZLE
    assert entry.answer is None or TASK.text(entry.answer) == ANSWER
    assert (entry.answer is None) == ("," not in text)


def test_spaces_cut_off_an_answer_come_back() -> None:
    task = maze_task(3)
    entry = only("S # #  G ,S # #ooG", task)  # the puzzle keeps its last space: a comma follows
    assert entry.answer is not None
    assert task.text(entry.answer) == "S.#.#ooG."


def test_pictures_and_lines_in_one_file() -> None:
    text = f"{PICTURE}\n{PUZZLE}\n{PICTURE}\n\n{PICTURE}S.\n\n{OTHER}"
    items = entries(text)
    assert [item.line for item in items] == [1, 6, 7, 13, 19]
    assert [isinstance(item, Entry) for item in items] == [True, True, True, False, True]


def test_an_open_row_of_spaces_is_a_row() -> None:
    entry = only("S##G\n    \n####\n####\n")
    assert TASK.text(entry.puzzle.tokens) == "S##G....########"


@given(mazes())
def test_what_is_written_and_drawn_can_be_read(maze: tuple[MazeTask, NDArray[np.int32]]) -> None:
    task, tokens = maze
    for text in (task.text(tokens), Text.from_markup(task.draw(tokens)).plain):
        (item,) = entries(text, task)
        if ways(tokens):
            assert isinstance(item, Entry)
            np.testing.assert_array_equal(item.puzzle.tokens, tokens)
        else:
            assert item == BadLine(1, "there is no path from S to G")


@given(st.text(max_size=60) | st.text("#.SGo ,\n│┌└█", max_size=60))
def test_any_text_is_a_maze_or_a_reason(text: str) -> None:
    for item in entries(text):
        assert isinstance(item, Entry) or item.reason


@given(st.lists(st.text("SG#. ,\"'\r\x00", max_size=40), max_size=4))
def test_any_row_of_a_table(rows: list[str]) -> None:
    for item in TASK.read_lines(["puzzle,solution\n", *rows]):
        assert isinstance(item, Entry) or item.reason


def test_reads_without_end() -> None:
    pictures = chain.from_iterable(repeat([*PICTURE.splitlines(), ""]))
    lines = chain([f"{PUZZLE}\n"], pictures)
    assert [item.line for item in islice(TASK.read_lines(lines), 3)] == [1, 2, 7]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (PUZZLE[:-1], "expected 16 characters, but got 15"),
        (
            spaced(PUZZLE)[:-1],
            "expected 16 characters, but got 15. Write '.' for open cells: an editor may have cut "
            "off spaces",
        ),
        (
            "Sx" + PUZZLE[2:],
            "expected '#', '.' or ' ', 'S', 'G', but got 'x' at row 1, column 2",
        ),
        (ANSWER, "expected '#', '.' or ' ', 'S', 'G', but got 'o' at row 1, column 2"),
        (
            "S..#\n##..\n",
            "expected 4 rows of 4 characters, or 16 characters in one line, but got 2 rows",
        ),
        (
            "S" + "....\n" * 9,
            "expected 4 rows of 4 characters, or 16 characters in one line, but got more rows",
        ),
        (
            "puzzle,solution\nS.#,So#\n",
            "expected 4 rows of 4 characters, or 16 characters in one line, but got 1 row",
        ),
        (PICTURE.replace("##..", "##."), "expected 4 characters in row 2, but got 3"),
        (spaced(PICTURE).replace("S", "S  "), "expected 4 characters in row 1, but got 6"),
        (PUZZLE.replace("S", "."), "expected one S and one G, but got 0 and 1"),
        (PUZZLE.replace("..G", "GGG"), "expected one S and one G, but got 1 and 3"),
        ("S#..##.......#G.", "there is no path from S to G"),
        (f"{PUZZLE},{ANSWER[:-1]}", "answer: expected 16 characters, but got 15"),
        (
            f"{PUZZLE},x{ANSWER[1:]}",
            "answer: expected '#', '.' or ' ', 'S', 'G', 'o', but got 'x' at row 1, column 1",
        ),
        (
            f"{PUZZLE},{ANSWER[:3]}o{ANSWER[4:]}",
            "answer: row 1, column 4 was a wall and is now the path",
        ),
        (f"{PUZZLE},{OTHER}", "answer: row 1, column 1 was the start and is now the goal"),
    ],
)
def test_a_malformed_maze_says_what_is_wrong(text: str, reason: str) -> None:
    (item,) = entries(text)
    assert item == BadLine(1 + text.startswith("puzzle"), reason)


def test_a_table_without_a_column_of_mazes() -> None:
    (item,) = entries(f"maze,rating\n{PUZZLE},3\n")
    assert isinstance(item, BadLine)
    assert "does not name a column of puzzles; expected puzzle,solution" in item.reason


def test_a_field_too_large_for_a_table() -> None:
    first, second = entries(f"puzzle,solution\n{'#' * 200_000},\n{PUZZLE},{ANSWER}\n")
    assert first == BadLine(2, "expected 2 fields, but got 0")
    assert isinstance(second, Entry)


def test_reads_dataset_folders(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    for name, text in (("inputs", PUZZLE), ("labels", ANSWER)):
        np.save(tmp_path / "test" / f"all__{name}.npy", tokens_of(text)[None].astype(np.uint8))
    (entry,) = TASK.read(tmp_path)
    assert isinstance(entry, Entry)
    assert entry.answer is not None
    assert TASK.problem(entry.puzzle.tokens, entry.answer) is None


# --- judgement ---------------------------------------------------------------------------------

LOOP = "S....##G....####"  # four steps along the upper edge, six below


@pytest.mark.parametrize(
    ("puzzle", "answer", "problem"),
    [
        (PUZZLE, ANSWER, None),
        (LOOP, "Sooo.##G....####", None),
        (LOOP, "S...o##Goooo####", "the path takes 6 steps, but 4 are enough"),
        (LOOP, "Soooo##Goooo####", "the path branches at row 1, column 1"),
        (LOOP, "Sooo.##G.o..####", "row 3, column 2 is marked, but is not on the path"),
        (LOOP, "Soo..##G....####", "the path from S ends at row 1, column 3, not at G"),
        (LOOP, LOOP, "the path from S ends at row 1, column 1, not at G"),
        (LOOP, "Sooo?##G....####", "row 2, column 1 was open and is now padding"),
        (LOOP, "Sooo..#G....####", "row 2, column 2 was a wall and is now open"),
        (LOOP, "ooooo##G....####", "row 1, column 1 was the start and is now the path"),
        ("?" * 16, "?" * 16, "expected one S and one G, but got 0 and 0"),
        ("S#.." * 3 + "...?", "S#.." * 3 + "...?", "expected one S and one G, but got 3 and 0"),
        ("S#..##.......#G.", "S#..##.......#G.", "there is no path from S to G"),
    ],
)
def test_judges_answers(puzzle: str, answer: str, problem: str | None) -> None:
    assert TASK.problem(tokens_of(puzzle), tokens_of(answer)) == problem


@given(mazes(largest=3))
def test_an_answer_is_valid_where_it_marks_a_shortest_way(
    maze: tuple[MazeTask, NDArray[np.int32]],
) -> None:
    """All subsets of the open cells of a small maze."""
    task, tokens = maze
    shortest = {frozenset(way) for way in ways(tokens)}
    cells = np.flatnonzero(tokens == OPEN).tolist()
    for subset in chain.from_iterable(combinations(cells, k) for k in range(len(cells) + 1)):
        valid = task.problem(tokens, marked(tokens, subset)) is None
        assert valid == (frozenset(subset) in shortest)


@given(mazes(largest=5))
def test_any_single_change_makes_an_answer_invalid(
    maze: tuple[MazeTask, NDArray[np.int32]],
) -> None:
    task, tokens = maze
    for way in ways(tokens)[:1]:
        answer = marked(tokens, way)
        assert task.problem(tokens, answer) is None
        for wrong in changes(answer):
            assert task.problem(tokens, wrong)


def changes(answer: NDArray[np.int32]) -> Iterator[NDArray[np.int32]]:
    for cell in range(len(answer)):
        for token in range(6):
            if token != answer[cell]:
                wrong = answer.copy()
                wrong[cell] = token
                yield wrong


# --- drawing -----------------------------------------------------------------------------------


def drawn(text: str) -> list[str]:
    return Text.from_markup(TASK.draw(tokens_of(text), tokens_of(PUZZLE))).plain.splitlines()


def test_draws_a_picture_that_needs_no_colour() -> None:
    assert drawn(ANSWER) == [
        "┌────────┐",
        "│S━━━┓ ██│",
        "│████┗━┓ │",
        "│    ██┃ │",
        "│██    G │",
        "└────────┘",
    ]
    assert drawn(PUZZLE)[1:3] == ["│S     ██│", "│████    │"]


def test_draws_what_is_not_a_path() -> None:
    assert drawn("?oo#o#o.o.#o#o.G")[1:5] == [
        "│??╺━┓ ██│",
        "│╻ ██╹   │",
        "│╹   ██╻ │",
        "│██•   G │",
    ]


def test_cells_that_the_puzzle_does_not_have_stand_out() -> None:
    puzzle = tokens_of(PUZZLE)
    answer = tokens_of(ANSWER)
    picture = TASK.draw(answer, puzzle)
    assert "[bold]S[/bold][cyan]━[/cyan][cyan]━[/cyan]" in picture
    assert "[cyan]██[/cyan]" not in picture
    answer[8] = WALL
    assert "│[cyan]██[/cyan]  ██" in TASK.draw(answer, puzzle)
    assert "cyan" not in TASK.draw(puzzle)


# --- shapes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seq_len", "vocab_size"), [(17, 6), (16, 8), (1, 6)])
def test_a_model_that_is_not_for_mazes(seq_len: int, vocab_size: int) -> None:
    config = replace(FAKE_CONFIG, seq_len=seq_len, vocab_size=vocab_size)
    assert task_for(config).name == "tokens"
    message = f"a square of cells and 6 token ids, but the model has seq_len {seq_len} and "
    with pytest.raises(ConfigError, match=message + f"vocab_size {vocab_size}"):
        MazeTask(config)


@pytest.mark.parametrize("side", [2, 9, 13, 30])
def test_squares_with_the_vocabulary_are_mazes(side: int) -> None:
    assert task_for(maze_task(side).config).name == "maze"
