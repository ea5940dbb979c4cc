"""Counts the answers of a run."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from trm_edge.batch.answers import FAILED

TALLY_COLUMNS = ("outcome", "valid", "correct")


@dataclass
class Tally:
    """Counts rows.

    Args:
        rows: all of them.
        failed: rows without a solution.
        withheld: unsolved and unsure ones.
        judged: answers that the task can judge.
        valid: answers among them that it accepts.
        known: puzzles whose answer is known.
        correct: answers among them that are equal to it.
    """

    rows: int = 0
    failed: int = 0
    withheld: int = 0
    judged: int = 0
    valid: int = 0
    known: int = 0
    correct: int = 0

    def add(self, answers: pa.Table, sign: int = 1) -> None:
        """Count the rows of a table.

        Args:
            answers: with the columns of ``TALLY_COLUMNS``.
            sign: -1 to take rows back.
        """
        outcome = answers["outcome"]
        answered = pc.equal(outcome, "answered")
        valid = answers["valid"].filter(answered)
        correct = answers["correct"].filter(answered)
        failed = _count(pc.equal(outcome, FAILED))
        self.rows += sign * len(outcome)
        self.failed += sign * failed
        self.withheld += sign * (len(outcome) - _count(answered) - failed)
        self.judged += sign * (len(valid) - valid.null_count)
        self.valid += sign * _count(valid)
        self.known += sign * (len(outcome) - answers["correct"].null_count)
        self.correct += sign * _count(correct)


def _count(mask: pa.ChunkedArray) -> int:
    """The number of true values."""
    return int(pc.sum(mask).as_py() or 0)
