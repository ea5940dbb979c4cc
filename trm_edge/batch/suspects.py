"""Solves rows in ever smaller parts where workers have died, until the row that ends them fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import ceil

import pyarrow as pa

from trm_edge.batch.answers import failed_answers
from trm_edge.batch.source import BLOCK_ROWS

PARTS = 32  # of what a worker has died with: few enough to keep the slots of a large block at work
ROW_TRIES = 4  # of a row alone, before it fails: workers that die all the time do so by chance, too


class SuspectSolver:
    """Solves blocks, some of which may end the process that solves them.

    A block that was begun before and not finished is solved in 32 parts, and so is a part, down to
    single rows. So a row that ends its worker fails alone: after five deaths in a block of up to
    32 rows, and one more for every 32-fold.

    Args:
        solve: as ``BlockSolver.solve``.
        begin: takes note of rows (the first one's number, how many), and tells how often they were
            begun and not finished, this time included; outlives the process.
        finish: takes note that they were finished.
        bundle: sha256 of the bundle's manifest, for rows that fail.
    """

    def __init__(
        self,
        solve: Callable[[Iterable[pa.Table]], Iterator[pa.Table]],
        begin: Callable[[int, int], int],
        finish: Callable[[int, int], None],
        bundle: str,
    ) -> None:
        self._solve = solve
        self._begin = begin
        self._finish = finish
        self._bundle = bundle

    def solve(self, block: pa.Table) -> Iterator[pa.Table]:
        """Solve a block.

        Args:
            block: n rows with the columns of ``ROW_SCHEMA``.

        Returns:
            Tables with the columns of ``ANSWER_SCHEMA``, n rows together, in the same order.

        Raises:
            TrmEdgeError: as ``BlockSolver.solve`` does.
        """
        first_row = int(block["row"][0].as_py())
        tries = self._begin(first_row, len(block))
        if len(block) == 1 and tries > ROW_TRIES:
            reason = (
                f"its worker died {ROW_TRIES} times while it solved this puzzle alone, and before "
                "that with others; Ray's log files may say of what"
            )
            yield failed_answers(block, reason, self._bundle)
        elif len(block) == 1 or tries == 1:
            yield from self._solve(_parts(block, BLOCK_ROWS))
        else:
            for part in _parts(block, ceil(len(block) / PARTS)):
                yield from self.solve(part)
        self._finish(first_row, len(block))


def _parts(block: pa.Table, rows: int) -> Iterator[pa.Table]:
    for start in range(0, len(block), rows):
        yield block.slice(start, rows)
