"""Puzzles of one stream with their own rule, tries and selector, and slots added at work."""

from __future__ import annotations

import time
from collections.abc import Mapping
from math import inf

import numpy as np
import pytest

from tests.loop.carrying import CarryingBackend
from tests.loop.clocks import FakeClock, SlowBackend
from tests.loop.test_rollouts import AUGMENTATIONS, ConfidentByFirstCell, logits, puzzles
from trm_edge.backends.fake import FAKE_CONFIG, FakeBackend
from trm_edge.loop.exploration import Exploration
from trm_edge.loop.feed import Feed
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.puzzle_options import PuzzleOptions
from trm_edge.loop.rollouts import Rollouts
from trm_edge.loop.selection import MostConfident
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle

FIXED = HaltingRule.from_config(FAKE_CONFIG, "fixed", max_steps=8)


class OptionFeed(Feed[Puzzle]):
    """Puzzles with options of their own, of which some are not wanted any more.

    Args:
        items: the puzzles.
        options: by number.
        unwanted: numbers.
        due: by number, by time.monotonic().
    """

    reacts = True

    def __init__(
        self,
        items: list[Puzzle],
        options: Mapping[int, PuzzleOptions],
        unwanted: frozenset[int] = frozenset(),
        due: Mapping[int, float] | None = None,
    ) -> None:
        self._items = list(items)
        self._options = options
        self._unwanted = unwanted
        self._due = due or {}

    def take(self) -> Puzzle | None:
        return self._items.pop(0) if self._items else None

    def wait(self) -> bool:
        return bool(self._items)

    def is_wanted(self, number: int) -> bool:
        return number not in self._unwanted

    def due(self, number: int) -> float:
        return self._due.get(number, inf)

    def options(self, number: int) -> PuzzleOptions | None:
        return self._options.get(number)


def with_steps(steps: int) -> PuzzleOptions:
    return PuzzleOptions(HaltingRule.from_config(FAKE_CONFIG, "fixed", max_steps=steps))


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_rules_of_their_own(batch: int) -> None:
    stream = puzzles(12)
    options = {number: with_steps(1 + number % 5) for number in range(0, 12, 2)}
    with Solver(FakeBackend(), halting=FIXED, batch=batch) as solver:
        solutions = list(solver.solve(OptionFeed(stream, options), ordered=True))
    for number, solution in enumerate(solutions):
        assert solution.steps == (1 + number % 5 if number in options else 8)
        np.testing.assert_array_equal(solution.answer, stream[number].tokens)


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_tries_and_selectors_of_their_own(batch: int) -> None:
    stream = puzzles(20)
    many = PuzzleOptions(exploration=Exploration(4, AUGMENTATIONS))
    some = PuzzleOptions(
        exploration=Exploration(4, AUGMENTATIONS), selector=MostConfident(min_confidence=0.5)
    )
    options = {}
    for number in range(20):
        if number % 3:
            options[number] = many if number % 3 == 1 else some
    with Solver(ConfidentByFirstCell(), halting=FIXED, batch=batch) as solver:
        rollouts = Rollouts(solver, Exploration(1))
        solutions = list(rollouts.solve(OptionFeed(stream, options), ordered=True))
    for number, solution in enumerate(solutions):
        every = logits(stream[number])
        if number % 3 == 0:
            expected = every[:1]
        elif number % 3 == 1:
            expected = every
        else:
            enough = [position for position, q in enumerate(every) if q >= 0]
            expected = every[: enough[0] + 1] if enough else every
        assert solution.tries == len(expected)
        assert solution.q_halt[-1] == max(expected)


@pytest.mark.parametrize("tries", [1, 3])
def test_a_puzzle_that_is_not_wanted_any_more_is_given_up(tries: int) -> None:
    backend = CarryingBackend()
    exploration = Exploration(tries, noise=0.1 if tries > 1 else 0.0)
    feed = OptionFeed(puzzles(6), {}, unwanted=frozenset({1, 4}))
    with Solver(backend, halting=FIXED, batch=2) as solver:
        solutions = list(Rollouts(solver, exploration).solve(feed))
    assert sorted(solution.index for solution in solutions) == [0, 2, 3, 5]
    # One step of each of the others, after which nobody waits for them.
    assert backend.slot_steps_run == 4 * tries * 8 + 2


def test_all_tries_end_when_their_puzzle_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    monkeypatch.setattr(time, "monotonic", clock)
    exploration = Exploration(4, noise=0.1)
    with Solver(SlowBackend(clock, 1.0), halting=FIXED, batch=1, deadline=1000.0) as solver:
        feed = OptionFeed(puzzles(2), {}, due={0: clock.seconds + 12.5})
        first, second = Rollouts(solver, exploration).solve(feed, ordered=True)
    assert (first.timed_out, first.steps) == (True, 12)
    assert (second.timed_out, second.steps) == (False, 32)


class FirstAlone(Feed[Puzzle]):
    """Live: a long puzzle, and short ones that come when it has its slot.

    Args:
        items: the puzzles.
    """

    live = True

    def __init__(self, items: list[Puzzle]) -> None:
        self._items = list(items)
        self._ready = 1

    def take(self) -> Puzzle | None:
        if not self._ready:
            self._ready = len(self._items)
            return None
        self._ready -= 1
        return self._items.pop(0)

    def wait(self) -> bool:
        return bool(self._items)

    def ready(self) -> int:
        return self._ready

    def options(self, number: int) -> PuzzleOptions | None:
        return with_steps(8) if number == 0 else with_steps(1 + number % 3)


@pytest.mark.parametrize("can_add_slots", [True, False])
def test_slots_are_added_at_work(can_add_slots: bool) -> None:
    """A long puzzle does not keep those that come after it waiting, where slots can be added."""
    backend = CarryingBackend()
    backend.can_add_slots = can_add_slots
    stream = puzzles(6)
    with Solver(backend, halting=FIXED, batch=4) as solver:
        solutions = list(solver.solve(FirstAlone(stream)))
    order = [solution.index for solution in solutions]
    assert sorted(order) == list(range(6))
    assert order.index(0) == (5 if can_add_slots else 0)
    for solution in solutions:
        expected = 8 if solution.index == 0 else 1 + solution.index % 3
        assert solution.steps == expected
        np.testing.assert_array_equal(solution.answer, stream[solution.index].tokens)
        # The state counts the steps from 10, so a new slot does not go on from a copied one.
        assert solution.q_halt.tolist() == [11.0 + step for step in range(expected)]
