"""What `trm-edge solve` draws, on a backend that echoes its puzzle."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import numpy as np
import pytest

from trm_edge.backends.fake import FAKE_CONFIG, FakeBackend
from trm_edge.cli.solve_output import Answer, TextWriter
from trm_edge.cli.watch import watch_solution
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.base import Entry
from trm_edge.tasks.maze import MazeTask


@pytest.fixture(autouse=True)
def _columns_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def solved_maze(side: int) -> tuple[MazeTask, Answer]:
    """S and G beside each other, all other cells walls: the puzzle is its own answer."""
    task = MazeTask(replace(FAKE_CONFIG, seq_len=side**2, vocab_size=6))
    tokens = np.array([3, 4, *[1] * (side**2 - 2)], np.int32)
    with Solver(FakeBackend(task.config), trace=True) as solver:
        (solution,) = solver.solve([Puzzle(tokens)])
    return task, Answer.of(task, Entry(Puzzle(tokens), 1), solution)


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


def test_watching_draws_every_step(capsys: pytest.CaptureFixture[str]) -> None:
    task, answer = solved_maze(41)
    watch_solution(task, answer)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == answer.record.steps * (41 + 3)
    assert lines[0].startswith("#1, step 1: ")
    assert {len(line) for line in lines if line[0] == "│"} == {84}
