"""Counts the answers of ``trm-edge solve``, and says how many were right or withheld."""

from __future__ import annotations

from dataclasses import dataclass

import click

from trm_edge.cli.answers import SolutionRecord
from trm_edge.evaluation.statistics import wilson_interval


@dataclass
class AnswerTally:
    """Counts answers.

    Args:
        valid: answers that are not known to be wrong.
        withheld: puzzles without an answer, unsolved or unsure.
        known: puzzles whose answer is known.
        correct: answers among them that are equal to it.
    """

    valid: int = 0
    withheld: int = 0
    known: int = 0
    correct: int = 0

    def add(self, record: SolutionRecord) -> None:
        """Count an answer.

        Args:
            record: the answer.
        """
        is_answered = record.outcome == "answered"
        self.withheld += not is_answered
        self.valid += is_answered and record.valid is not False
        self.known += record.correct is not None
        self.correct += is_answered and record.correct is True

    def show(self) -> None:
        """Write how many answers were withheld, and the share of right ones, to standard error."""
        if self.withheld:
            click.echo(f"without an answer, unsolved or unsure: {self.withheld}", err=True)
        if not self.known:
            return
        low, high = wilson_interval(self.correct, self.known)
        click.echo(
            f"exact match: {self.correct} of {self.known} known answers, "
            f"{100 * self.correct / self.known:.1f} % (95 % interval {100 * low:.1f} to "
            f"{100 * high:.1f} %)",
            err=True,
        )
