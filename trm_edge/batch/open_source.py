"""Opens an input, whatever kind of file or folder it is."""

from __future__ import annotations

from pathlib import Path

from trm_edge.batch.parquet_source import ParquetSource, parquet_files
from trm_edge.batch.source import RowSource
from trm_edge.batch.text_source import TaskSource, text_source
from trm_edge.tasks.base import Task
from trm_edge.tasks.dataset import is_folder


def open_source(task: Task, path: Path) -> RowSource:
    """Open a Parquet file, a CSV file, JSON lines, text, or a folder of Parquet or of a dataset.

    Args:
        task: of the bundle.
        path: of the file or folder.

    Raises:
        PuzzleError: it cannot be read, or no column is of puzzles; names the columns there are.
    """
    is_dataset = is_folder(path) and any(path.rglob("*__inputs.npy"))
    if not is_dataset and parquet_files(path):
        return ParquetSource(path)
    if is_folder(path):
        return TaskSource(task, path)
    return text_source(task, path)
