"""Bodies become tickets: what they ask for is what the loop is told."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.serve.services import puzzle, text
from tests.toys import BASE
from trm_edge.backends.fake import FAKE_CONFIG
from trm_edge.cli.answers import AnswerPolicy
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.selection import FirstValid, MostConfident, MostFrequent
from trm_edge.serve.limits import Limits
from trm_edge.serve.refusals import InvalidRequestError, TooLargeError
from trm_edge.serve.solve_request import Admission, RequestReader
from trm_edge.tasks.base import Task
from trm_edge.tasks.sudoku import SudokuTask
from trm_edge.tasks.tokens import TokenTask

SUDOKU = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"
TOKENS = TokenTask(BASE)


def read(task: Task, noise_problem: str | None = None, **content: Any) -> Admission:
    """What a server of a task makes of a body."""
    halting = HaltingRule.from_config(task.config)
    limits = Limits(seconds=20.0, puzzles=4)
    reader = RequestReader(task, halting, limits, noise_problem)
    return reader.read(json.dumps(content).encode(), arrived=100.0)


def test_defaults_are_those_of_the_model_and_the_server() -> None:
    admission = read(TOKENS, puzzles=[text(puzzle(1)), f"2: {text(puzzle(3))}"])
    ticket = admission.ticket
    assert ticket.due == 120.0
    assert [each.identifier for each in ticket.puzzles] == [0, 2]
    assert ticket.puzzles[1].tokens.tolist() == puzzle(3)
    assert ticket.options.halting == HaltingRule.from_config(BASE)
    assert ticket.options.exploration is None
    assert admission.policy == AnswerPolicy()


def test_options_of_halting_and_time() -> None:
    admission = read(
        TOKENS,
        puzzles=[{"tokens": puzzle(1), "identifier": 1}],
        deadline_ms=1500,
        halt="fixed",
        max_steps=3,
        min_steps=2,
        halt_threshold=0.5,
        answer_if=0.9,
    )
    assert admission.ticket.due == 101.5
    expected = HaltingRule.from_config(BASE, "fixed", max_steps=3, min_steps=2, threshold=0.5)
    assert admission.ticket.options.halting == expected
    assert admission.policy == AnswerPolicy(min_confidence=0.9)


def test_options_of_search() -> None:
    task = SudokuTask(FAKE_CONFIG)
    options = read(task, puzzles=[SUDOKU], rollouts=4).ticket.options
    assert options.exploration is not None
    assert (options.exploration.tries, len(options.exploration.augmentations)) == (4, 4)
    assert isinstance(options.selector, FirstValid)
    options = read(
        task,
        puzzles=[SUDOKU],
        rollouts=3,
        explore=["noise", "start"],
        sigma=0.25,
        explore_seed=7,
        select="mode",
    ).ticket.options
    assert options.exploration is not None
    assert (options.exploration.noise, options.exploration.start) == (0.25, 0.25)
    assert options.exploration.seed == 7
    assert isinstance(options.selector, MostFrequent)
    options = read(task, puzzles=[SUDOKU], rollouts=3, min_confidence=0.5).ticket.options
    assert isinstance(options.selector, MostConfident)
    assert options.selector.min_confidence == 0.5
    assert read(task, puzzles=[SUDOKU], only_valid=True).policy == AnswerPolicy(only_valid=True)


def test_noise_needs_an_engine_that_can() -> None:
    content: dict[str, Any] = {"rollouts": 2, "explore": ["noise"]}
    content["puzzles"] = [{"tokens": puzzle(1)}]
    read(TOKENS, **content)
    with pytest.raises(InvalidRequestError, match=r"it cannot\."):
        read(TOKENS, "it cannot.", **content)


def test_whole_numbers_are_integers_however_they_are_written() -> None:
    tokens = [float(token) for token in puzzle(2)]
    puzzles = [{"tokens": tokens, "identifier": 1.0}]
    (only,) = read(TOKENS, puzzles=puzzles, max_steps=2.0).ticket.puzzles
    np.testing.assert_array_equal(only.tokens, puzzle(2))
    with pytest.raises(InvalidRequestError, match="Expected `int"):
        read(TOKENS, puzzles=[{"tokens": tokens}], max_steps=2.5)
    with pytest.raises(InvalidRequestError, match="Expected `int"):
        read(TOKENS, puzzles=[{"tokens": ["1"] * 9}])


@pytest.mark.parametrize("token", [0, 5])
def test_token_ids_that_are_no_puzzle(token: int) -> None:
    """Padding, and a digit many times in a unit: the text of such a puzzle is refused, too."""
    with pytest.raises(InvalidRequestError, match=r"puzzle 1: .* not a puzzle of the task sudoku"):
        read(SudokuTask(FAKE_CONFIG), puzzles=[SUDOKU, {"tokens": [token] * 81}])


def test_more_puzzles_than_a_request_may_have() -> None:
    with pytest.raises(TooLargeError, match="may have 4 puzzles, but this one has 5"):
        read(TOKENS, puzzles=[text(puzzle(1))] * 5)
