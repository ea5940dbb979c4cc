"""Parts of a search: an explorer on a set of puzzles, or depth alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from lib.search_explorers import EXPLORERS, Explorer
from lib.search_subject import PRECISIONS, Subject
from lib.tries import Outcome, PuzzleSet, Recorder, Tries
from trm_edge.cli.search_options import DEPTH_FACTOR
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.selection import SelectorName, selector_for
from trm_edge.progress import Track

DEPTH = "depth"
DEPTH_SHARES = (4, 2)  # the model's own steps divided by these are measured, too


class Part(ABC):
    """A measurement that is made at once.

    Args:
        subject: the model.
        precision: ``float32`` or ``int8``.
        puzzles: the set.
        explorer: name of what makes the tries differ.
        tries: number of tries at each puzzle, at most.
    """

    def __init__(
        self, subject: Subject, precision: str, puzzles: PuzzleSet, explorer: str, tries: int
    ) -> None:
        self.subject = subject
        self.precision = precision
        self.puzzles = puzzles
        self.explorer = explorer
        self.tries = tries

    @property
    def key(self) -> str:
        """Name of the part in the results."""
        return (
            f"{self.subject.name}, {self.precision}, {self.set_name}: {self.explorer}, "
            f"{self.tries} tries"
        )

    @property
    def set_name(self) -> str:
        """Number and name of the puzzles."""
        return f"{len(self.puzzles.puzzles)} {self.puzzles.name}"

    def measure(self, track: Track) -> dict[str, Any]:
        """Measure it.

        Args:
            track: reports progress.

        Returns:
            What was measured, and a row for each selector (or mode of halting) and number of tries
            (or steps).
        """
        return {
            "model": self.subject.name,
            "precision": self.precision,
            "puzzles": self.set_name,
            "explorer": self.explorer,
            "rows": self.rows(track),
        }

    @abstractmethod
    def rows(self, track: Track) -> dict[str, dict[str, Any]]:
        """Measure the rows.

        Args:
            track: reports progress.
        """


class TriesPart(Part):
    """Tries of an explorer, made once; each selector chooses among the first 1, 2, 4 ...

    The first ones are all made, for selectors that compare tries. Further ones are only made until
    an answer is valid.

    Args:
        subject: the model.
        precision: ``float32`` or ``int8``.
        puzzles: the set.
        explorer: what makes the tries differ.
        tries: number of tries at each puzzle, at most.
        compared: number of tries that are all made.
    """

    def __init__(
        self,
        subject: Subject,
        precision: str,
        puzzles: PuzzleSet,
        explorer: Explorer,
        tries: int,
        compared: int,
    ) -> None:
        exploration = explorer.exploration(subject.task, tries)
        super().__init__(subject, precision, puzzles, explorer.name, exploration.tries)
        self._explorer = explorer
        self._exploration = exploration
        self._compared = min(compared, exploration.tries)

    def rows(self, track: Track) -> dict[str, dict[str, Any]]:
        """Make the tries, and let every selector choose.

        Args:
            track: reports progress.
        """
        task = self.subject.task
        valid = selector_for(task, "valid")
        recorder = Recorder(self._compared, valid)
        rule = self._explorer.rule(self.subject.config)
        with self.subject.solver(self.precision, rule) as solver:
            tries = Tries.make(solver, self._exploration, self.puzzles, track, self.key, recorder)
        rows: dict[str, dict[str, Any]] = {}
        for name in self._selectors():
            selector = selector_for(task, name)
            most = self.tries if name == "valid" else self._compared
            rows[name] = {}
            for count in powers_of_two(most):
                rows[name][str(count)] = tries.outcome(selector, count).to_row()
        return rows

    def _selectors(self) -> tuple[SelectorName, ...]:
        if self._explorer.halting == "fixed":
            return ("valid", "q", "mode", "settled")
        return ("valid", "q", "mode")


def powers_of_two(most: int) -> list[int]:
    """List 1, 2, 4 ... up to a number.

    Args:
        most: the largest, 1 or more.
    """
    return [1 << exponent for exponent in range(most.bit_length())]


class DepthPart(Part):
    """One try that goes on beyond the model's own steps.

    Args:
        subject: the model.
        precision: ``float32`` or ``int8``.
        puzzles: the set.
    """

    def __init__(self, subject: Subject, precision: str, puzzles: PuzzleSet) -> None:
        super().__init__(subject, precision, puzzles, DEPTH, 1)

    def rows(self, track: Track) -> dict[str, dict[str, Any]]:
        """Run every step, and end after fewer of them or where the halting head stops.

        Args:
            track: reports progress.
        """
        own = self.subject.config.halt_max_steps
        deepest = DEPTH_FACTOR * own
        rule = HaltingRule.from_config(self.subject.config, "fixed", max_steps=deepest)
        right = np.zeros((len(self.puzzles.puzzles), deepest), np.bool_)
        stops = np.zeros_like(right)
        with self.subject.solver(self.precision, rule, trace=True) as solver:
            solutions = solver.solve(self.puzzles.puzzles)
            for solution in track(solutions, self.key, len(right)):
                assert solution.trajectory is not None
                answer = self.puzzles.answers[solution.index]
                right[solution.index] = (solution.trajectory == answer).all(1)
                stops[solution.index] = rule.wants_to_stop(solution.q_halt, solution.q_continue)
        limits = [own // share for share in DEPTH_SHARES]
        limits += [own, 2 * own, deepest]
        rows: dict[str, dict[str, Any]] = {"fixed": {}, "adaptive": {}}
        for limit in limits:
            last = np.full(len(right), limit - 1)
            rows["fixed"][str(limit)] = Outcome.at_steps(right, last).to_row()
            stop = stops[:, :limit].copy()
            stop[:, -1] = True
            rows["adaptive"][str(limit)] = Outcome.at_steps(right, stop.argmax(1)).to_row()
        return rows


def list_parts(
    subject: Subject,
    tries: int,
    compared: int,
    explorers: Collection[str] = (),
) -> Iterator[Part]:
    """List everything that is measured with a model.

    Args:
        subject: the model.
        tries: number of tries with adaptive halting.
        compared: number of tries that are all made; those with fixed halting have no more.
        explorers: names of those to measure; all by default.
    """
    for puzzles in subject.sets():
        for explorer in EXPLORERS:
            if explorers and explorer.name not in explorers:
                continue
            most = compared if explorer.halting == "fixed" else max(tries, compared)
            for precision in PRECISIONS:
                yield TriesPart(subject, precision, puzzles, explorer, most, compared)
        for precision in PRECISIONS:
            if not explorers or DEPTH in explorers:
                yield DepthPart(subject, precision, puzzles)
