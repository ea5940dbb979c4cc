"""The answers to rows as an Arrow table, with the names of ``solve --format json``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trm_edge.batch.fingerprint import ANSWERS_VERSION
from trm_edge.cli.answers import AnswerPolicy, compare_answers
from trm_edge.loop.halting import confidence
from trm_edge.loop.solution import Solution
from trm_edge.tasks.base import Task
from trm_edge.tasks.entries import Entry

FAILED = "failed"
_OF_THE_INPUT = ("row", "id")
ANSWER_SCHEMA = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),  # place in the input, from 0
        pa.field("id", pa.string()),  # of the input; null where the row itself cannot be read
        pa.field("answer", pa.string()),  # null where none is given, see outcome
        pa.field("valid", pa.bool_()),  # the task's judgement; null where it cannot tell
        pa.field("correct", pa.bool_()),  # equals the known answer; null where none is known
        pa.field("steps", pa.int32()),
        pa.field("halted", pa.bool_()),
        pa.field("q_halt", pa.float64()),
        pa.field("confidence", pa.float64()),
        pa.field("outcome", pa.string(), nullable=False),  # answered, unsolved, unsure or failed
        pa.field("tries", pa.int32()),
        pa.field("timed_out", pa.bool_()),
        pa.field("bundle", pa.string(), nullable=False),  # sha256 of its manifest
        pa.field("error", pa.string()),  # why the row has failed; null where it has not
    ],
    metadata={"trm-edge.answers": str(ANSWERS_VERSION)},
)


@dataclass(frozen=True)
class AnswerMaker:
    """Judges solutions, and writes them as a table.

    Args:
        task: of the bundle.
        policy: which answers are given.
        bundle: sha256 of the bundle's manifest.
    """

    task: Task
    policy: AnswerPolicy
    bundle: str

    def table(
        self, block: pa.Table, entries: Sequence[Entry | None], results: Sequence[Solution | str]
    ) -> pa.Table:
        """Make the answers to a block, one a row.

        Args:
            block: n rows with the columns of ``ROW_SCHEMA``.
            entries: (n,) their puzzles; None where there is none.
            results: (n,) the solution of each row, or why it has none.

        Returns:
            (n,) rows with the columns of ``ANSWER_SCHEMA``.
        """
        solved: list[tuple[Entry, Solution]] = []
        errors: list[str | None] = []
        places = np.full(len(results), -1, np.int64)  # of each row among the solved ones
        for number, (entry, result) in enumerate(zip(entries, results, strict=True)):
            if isinstance(result, str) or entry is None:
                errors.append(str(result))
                continue
            errors.append(None)
            places[number] = len(solved)
            solved.append((entry, result))
        columns = self._judged(solved) if solved else {}
        rows = pa.array(places, mask=places < 0)
        arrays = []
        for field in ANSWER_SCHEMA:
            if field.name in _OF_THE_INPUT:
                arrays.append(block[field.name])
            elif field.name == "bundle":
                arrays.append(pa.repeat(pa.scalar(self.bundle), len(results)))
            elif field.name == "error":
                arrays.append(pa.array(errors, field.type))
            elif field.name not in columns:
                arrays.append(pa.nulls(len(results), field.type))
            else:
                column = pa.array(columns[field.name], field.type)
                arrays.append(column if rows.null_count == 0 else column.take(rows))
        table = pa.Table.from_arrays(arrays, ANSWER_SCHEMA.names)
        outcome = pc.fill_null(table["outcome"], FAILED)
        place = ANSWER_SCHEMA.names.index("outcome")
        return table.set_column(place, "outcome", outcome).cast(ANSWER_SCHEMA)

    def _judged(self, solved: Sequence[tuple[Entry, Solution]]) -> dict[str, Any]:
        """The columns of solved rows."""
        entries = [entry for entry, _ in solved]
        solutions = [solution for _, solution in solved]
        tokens = np.stack([entry.puzzle.tokens for entry in entries])
        answers = np.stack([solution.answer for solution in solutions])
        q_halt = np.array([solution.q_halt[-1] for solution in solutions], np.float64)
        confidences = confidence(q_halt)
        valid: list[bool | None] = [None] * len(entries)
        if self.task.judges:
            valid = self.task.judge(tokens, answers).tolist()
        outcomes = list(map(self.policy.outcome, valid, confidences.tolist()))
        texts: list[str | None] = list(self.task.answer_texts(tokens, answers))
        for number, outcome in enumerate(outcomes):
            if outcome != "answered":
                texts[number] = None
        return {
            "answer": texts,
            "valid": valid,
            "correct": compare_answers(self.task, entries, answers),
            "steps": [solution.steps for solution in solutions],
            "halted": [solution.halted for solution in solutions],
            "q_halt": q_halt,
            "confidence": confidences,
            "outcome": outcomes,
            "tries": [solution.tries for solution in solutions],
            "timed_out": [solution.timed_out for solution in solutions],
        }


def failed_answers(block: pa.Table, reason: str, bundle: str) -> pa.Table:
    """Make the answers to a block whose rows have all failed.

    Args:
        block: n rows with the columns of ``ROW_SCHEMA``.
        reason: why they have failed.
        bundle: sha256 of the bundle's manifest.

    Returns:
        (n,) rows with the columns of ``ANSWER_SCHEMA``.
    """
    count = len(block)
    values = {"outcome": FAILED, "bundle": bundle, "error": reason}
    arrays = []
    for field in ANSWER_SCHEMA:
        if field.name in ("row", "id"):
            arrays.append(block[field.name])
        elif field.name in values:
            arrays.append(pa.repeat(pa.scalar(values[field.name]), count))
        else:
            arrays.append(pa.nulls(count, field.type))
    return pa.Table.from_arrays(arrays, schema=ANSWER_SCHEMA)
