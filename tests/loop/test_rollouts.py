from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from trm_edge.backends.base import HaltingLogits
from trm_edge.backends.fake import FAKE_CONFIG, FakeBackend
from trm_edge.errors import ConfigError, PuzzleError
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.rollouts import Rollouts
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.sudoku import SudokuTask

FORMS = SudokuTask(FAKE_CONFIG).augmentations(4)
FIXED = HaltingRule.from_config(FAKE_CONFIG, "fixed", max_steps=2)


class Moody(FakeBackend):
    """As sure of its answer as the first cell says: a different one in every form."""

    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        super().step(tokens, puzzle_embedding, reset)
        q = tokens[:, 0].astype(np.float32) - 5
        return HaltingLogits(q, np.zeros_like(q))


def puzzles(count: int) -> list[Puzzle]:
    rng = np.random.default_rng(1)
    return [Puzzle(rng.integers(1, 11, 81, dtype=np.int32)) for _ in range(count)]


def moods(puzzle: Puzzle) -> list[int]:
    return [int(form.apply(puzzle.tokens)[0]) - 5 for form in FORMS]


def test_the_surest_of_all_forms_answers() -> None:
    given = puzzles(40)
    with Solver(Moody(), halting=FIXED, batch=8) as solver:
        found = list(Rollouts(solver, FORMS).solve(given, ordered=True))
    assert [one.index for one in found] == list(range(40))
    for puzzle, one in zip(given, found, strict=True):
        assert one.q_halt[-1] == max(moods(puzzle))
        assert one.steps == 2 * len(FORMS)
        np.testing.assert_array_equal(one.answer, puzzle.tokens)  # the fake echoes: it came back


def test_no_further_form_once_sure() -> None:
    given = puzzles(40)
    with Solver(Moody(), halting=FIXED, batch=8, trace=True) as solver:
        found = {one.index: one for one in Rollouts(solver, FORMS, min_confidence=0.9).solve(given)}
    assert len(found) == 40
    tried = set()
    for index, puzzle in enumerate(given):
        min_confidence = [mood >= np.log(9) for mood in moods(puzzle)]
        tries = 1 + min_confidence.index(True) if any(min_confidence) else len(FORMS)
        tried.add(tries)
        assert found[index].steps == 2 * tries
        trajectory = found[index].trajectory
        assert trajectory is not None
        np.testing.assert_array_equal(trajectory[-1], found[index].answer)
    assert tried == {1, 2, 3, 4}


def test_constant_memory_in_order() -> None:
    given = puzzles(16)
    with Solver(Moody(), halting=FIXED, batch=32) as solver:
        stream = Rollouts(solver, FORMS, min_confidence=0.9).solve(
            itertools.islice(itertools.cycle(given), 6000), ordered=True
        )
        for _ in itertools.islice(stream, 1000):
            pass
        tracemalloc.start()
        count = sum(1 for _ in stream)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert count == 5000
    assert peak < 1_000_000


def test_misuse_and_puzzles_that_do_not_fit() -> None:
    with Solver(FakeBackend()) as solver:
        with pytest.raises(ConfigError, match="need at least one augmentation, but got none"):
            Rollouts(solver, [])
        with pytest.raises(ConfigError, match=r"min_confidence must lie in 0\.\.1, but got 2"):
            Rollouts(solver, FORMS, min_confidence=2)
        wrong = [*puzzles(3), Puzzle(np.full(81, 11, np.int32))]
        with pytest.raises(PuzzleError, match=r"puzzle 3: token ids must lie in 0\.\.10"):
            list(Rollouts(solver, FORMS).solve(wrong))
