"""Blocks with rows that end the process that solves them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pytest

from trm_edge.batch.answers import failed_answers
from trm_edge.batch.attempts import Attempts
from trm_edge.batch.rows import ROW_SCHEMA
from trm_edge.batch.suspects import SuspectSolver

SHA256 = "0" * 64


class DeathError(BaseException):
    """Stands for the end of the process."""


class Workers:
    """Workers that take one another's place, and end with some rows.

    Args:
        deadly: rows that end a worker.
        deaths: how often each does.
    """

    def __init__(self, deadly: Iterable[int] = (), deaths: int = 1000) -> None:
        self.left = dict.fromkeys(deadly, deaths)
        self.deaths = 0
        self.sizes: list[int] = []  # of what was solved at once
        self._attempts = Attempts()

    def run(self, block: pa.Table) -> pa.Table:
        """Solve a block with as many workers as it takes."""
        while True:
            try:
                return pa.concat_tables(self._worker().solve(block))
            except DeathError:
                self.deaths += 1

    def _worker(self) -> SuspectSolver:
        def finish(first_row: int, rows: int) -> None:
            self._attempts.finish("worker", first_row, rows)

        return SuspectSolver(self._solve, self._attempts.begin, finish, SHA256)

    def _solve(self, blocks: Iterable[pa.Table]) -> Iterator[pa.Table]:
        for block in blocks:
            self.sizes.append(len(block))
            for row in block["row"].to_pylist():
                if self.left.get(row):
                    self.left[row] -= 1
                    raise DeathError
            yield failed_answers(block, "solved", SHA256)


def block_of(rows: int) -> pa.Table:
    """A block whose first row has the number 100."""
    numbers = pa.array(range(100, 100 + rows), pa.int64())
    columns = []
    for field in ROW_SCHEMA:
        columns.append(numbers if field.name == "row" else pa.nulls(rows, field.type))
    columns[ROW_SCHEMA.get_field_index("id")] = numbers.cast(pa.string())
    return pa.Table.from_arrays(columns, names=ROW_SCHEMA.names)


def failed_rows(answers: pa.Table) -> list[int]:
    """Rows that were given up."""
    reasons = zip(answers["row"].to_pylist(), answers["error"].to_pylist(), strict=True)
    return [row for row, reason in reasons if "died 4 times" in reason]


def test_a_block_is_solved_at_once() -> None:
    workers = Workers()
    answers = workers.run(block_of(2500))
    assert answers["row"].to_pylist() == list(range(100, 2600))
    assert workers.sizes == [1024, 1024, 452]


@pytest.mark.parametrize(("rows", "deaths"), [(38_400, 8), (4_800, 7), (1_024, 6), (32, 5), (1, 4)])
def test_a_deadly_row_fails_alone(rows: int, deaths: int) -> None:
    workers = Workers([100])
    answers = workers.run(block_of(rows))
    assert answers["row"].to_pylist() == list(range(100, 100 + rows))
    assert failed_rows(answers) == [100]
    assert workers.deaths == deaths


def test_two_deadly_rows_of_a_block_fail() -> None:
    workers = Workers([110, 190])
    answers = workers.run(block_of(100))
    assert answers["row"].to_pylist() == list(range(100, 200))
    assert failed_rows(answers) == [110, 190]
    assert workers.deaths == 11


def test_workers_that_died_by_chance_cost_no_row() -> None:
    workers = Workers([110, 150, 151, 152], deaths=1)
    assert not failed_rows(workers.run(block_of(100)))
