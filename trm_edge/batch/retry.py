"""Puts the answers to failed rows, solved again, in the place of the rows in their parts.

A part is replaced as a whole by one rename, so at every moment each row stands in it once.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trm_edge.batch.answers import ANSWER_SCHEMA
from trm_edge.batch.finished import FinishedRows
from trm_edge.batch.output_folder import OutputFolder, read_part


class FailedRows:
    """The rows that had failed when a run began, in their parts.

    Args:
        folder: of the run.
        finished: its rows; the tally follows the new answers.
    """

    def __init__(self, folder: OutputFolder, finished: FinishedRows) -> None:
        self._folder = folder
        self._finished = finished

    def replace(self, answers: pa.Table) -> None:
        """Replace the parts of rows that were solved again.

        Args:
            answers: to rows that had failed, with the columns of ``ANSWER_SCHEMA``.

        Raises:
            OutputError: a part cannot be read or written; those before it are replaced.
        """
        rows = answers["row"].to_numpy()
        places = np.searchsorted(self._finished.failed, rows)
        parts = self._finished.failed_parts[places]
        for number in np.unique(parts).tolist():
            self._replace_in(number, answers.filter(pa.array(parts == number)))

    def _replace_in(self, number: int, answers: pa.Table) -> None:
        path = self._finished.parts[number]
        before = pa.concat_tables(read_part(path, ANSWER_SCHEMA.names)).select(ANSWER_SCHEMA.names)
        is_old = pc.is_in(before["row"], value_set=answers["row"].combine_chunks())
        others = before.filter(pc.invert(is_old))
        after = pa.concat_tables([others.cast(ANSWER_SCHEMA), answers]).sort_by("row")
        self._folder.write(path, after)
        self._finished.tally.add(before.filter(is_old), sign=-1)
        self._finished.tally.add(answers)
