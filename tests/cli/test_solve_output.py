"""What `trm-edge solve` draws, on a backend that echoes its puzzle."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO, StringIO, TextIOWrapper

import numpy as np
import pytest

from trm_edge.backends.fake import FAKE_CONFIG, FakeBackend
from trm_edge.cli.answers import Answer, judge_answers
from trm_edge.cli.solve_output import JsonWriter, TextWriter
from trm_edge.cli.watch import watch_solution
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.base import BadLine, Entry
from trm_edge.tasks.maze import MazeTask
from trm_edge.tasks.sudoku import SudokuTask


@pytest.fixture(autouse=True)
def _columns_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def solved_maze(side: int) -> tuple[MazeTask, Answer]:
    """S and G beside each other, all other cells walls: the puzzle is its own answer."""
    task = MazeTask(replace(FAKE_CONFIG, seq_len=side**2, vocab_size=6))
    tokens = np.array([3, 4, *[1] * (side**2 - 2)], np.int32)
    with Solver(FakeBackend(task.config), trace=True) as solver:
        (solution,) = solver.solve([Puzzle(tokens)])
    (answer,) = judge_answers(task, [Entry(Puzzle(tokens), 1)], [solution])
    return task, answer


def written(side: int) -> list[str]:
    task, answer = solved_maze(side)
    out = StringIO()
    TextWriter(task, out).write(answer)
    return out.getvalue().splitlines()


def test_puzzle_and_answer_stand_side_by_side() -> None:
    lines = written(3)
    assert lines[:3] == ["┌──────┐    ┌──────┐", "│S G ██│    │S G ██│", "│██████│    │██████│"]
    assert lines[5].startswith("#1: ")
    assert lines[5].endswith(" %, valid")


@pytest.mark.parametrize("side", [30, 41])  # one fits, but not two; not even one
def test_no_row_of_a_picture_is_cut_or_wrapped(side: int) -> None:
    lines = written(side)
    assert [len(line.rstrip()) for line in lines[: 2 * (side + 2)]] == [2 * side + 2] * 2 * (
        side + 2
    )


def test_watching_without_a_terminal_is_a_line_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    task, answer = solved_maze(41)
    watch_solution(task, answer)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == answer.record.steps
    assert lines[0].startswith("#1, step 1: confidence ")
    assert lines[0].endswith(", 0 cells changed")


def test_watching_in_a_terminal_begins_with_the_puzzle_and_leaves_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trm_edge.cli.watch._FRAME_SECONDS", 0)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    task, answer = solved_maze(3)
    watch_solution(task, answer)
    shown = capsys.readouterr().err
    assert shown.index("#1, the puzzle") < shown.index("#1, step 1: ")
    assert shown.count("#1, the puzzle") == 1
    assert shown.endswith("\x1b[1A\x1b[2K")  # the animation is erased


def test_a_step_marks_the_cells_that_it_changed() -> None:
    sudoku = SudokuTask(FAKE_CONFIG)
    puzzle = np.ones(81, np.int32)
    before = puzzle.copy()
    puzzle[0] = before[0] = 2
    after = before.copy()
    after[1] = 3
    drawn = sudoku.draw_step(after, puzzle, before)
    assert drawn.count("reverse") == 2
    assert "[bold]1[/bold] [cyan reverse]2[/cyan reverse] ." in drawn
    maze, answer = solved_maze(3)
    tokens = answer.entry.puzzle.tokens
    opened = tokens.copy()
    opened[4] = 2
    assert maze.draw_step(opened, tokens, tokens).count("[reverse]") == 1


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_pictures_where_the_encoding_has_no_frames(encoding: str) -> None:
    task, answer = solved_maze(3)
    content = BytesIO()
    out = TextIOWrapper(content, encoding=encoding)
    TextWriter(task, out).write(answer)
    lines = content.getvalue().decode("ascii").splitlines()
    assert lines[:3] == ["+------+    +------+", "|S G ##|    |S G ##|", "|######|    |######|"]


def test_known_answers_and_bad_lines_for_programs() -> None:
    task, answer = solved_maze(3)
    tokens = answer.entry.puzzle.tokens
    other = np.where(tokens == 1, 2, tokens).astype(np.int32)
    for known, correct in ((None, None), (tokens, True), (other, False)):
        entry = Entry(Puzzle(tokens), 7, known)
        record = judge_answers(task, [entry], [answer.solution])[0].record
        assert record.line == 7
        assert record.correct is correct
        assert record.halted
        assert record.confidence == answer.solution.confidence
    out = StringIO()
    JsonWriter(task, out).write_bad_line(BadLine(3, "not a puzzle: é"))
    assert json.loads(out.getvalue()) == {
        "format": "trm-edge.bad-line/1",
        "line": 3,
        "error": "not a puzzle: é",
    }
