"""Hands the rows of an input to Ray Data, which reads its files on whatever machine is free."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from ray.data import DataContext
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasource, ReadTask

from trm_edge.batch.source import RowSource

_READ_NAME = "Puzzles"


class RowDatasource(Datasource):
    """Rows of an input, as Ray Data reads them.

    Args:
        source: of the rows; every machine of the cluster sees its files under the same paths.
        chosen: (n,) int64, ascending, the rows that are read; None: all of them.
    """

    def __init__(self, source: RowSource, chosen: NDArray[np.int64] | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._source = source
        self._chosen = chosen

    def get_name(self) -> str:
        """Return the name that Ray shows for the operator."""
        return _READ_NAME

    def estimate_inmemory_data_size(self) -> int | None:
        """Leave the size open."""
        return None

    def get_read_tasks(
        self,
        parallelism: int,
        per_task_row_limit: int | None = None,
        data_context: DataContext | None = None,
    ) -> list[ReadTask]:
        """Make a task for each file that can be read apart.

        Args:
            parallelism: tasks that Ray asks for; files are not split further.
            per_task_row_limit: ignored: all rows are wanted.
            data_context: ignored.
        """
        tasks = []
        for share in self._source.shares():
            metadata = BlockMetadata(
                num_rows=None, size_bytes=None, exec_stats=None, input_files=None
            )
            tasks.append(ReadTask(_reader(share, self._chosen), metadata))
        return tasks


def _reader(
    source: RowSource, chosen: NDArray[np.int64] | None
) -> Callable[[], Iterator[pa.Table]]:
    def read() -> Iterator[pa.Table]:
        for block in source.blocks():
            source.check_unchanged()
            if chosen is None:
                yield block
                continue
            is_chosen = np.isin(block["row"].to_numpy(), chosen)
            if is_chosen.any():
                yield block.filter(pa.array(is_chosen))

    return read


def block_bytes(source: RowSource, rows: int) -> int:
    """Estimate the memory of a block, by which Ray Data cuts what is read.

    Args:
        source: of the rows.
        rows: of a block.

    Returns:
        Bytes, at least one row's.
    """
    first = next(iter(source.blocks()), None)
    if first is None or not len(first):
        return rows
    return max(1, int(rows * first.nbytes // len(first)))
