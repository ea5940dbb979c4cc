"""Opens an input, whatever kind of file or folder it is."""

from __future__ import annotations

import stat
from pathlib import Path

from trm_edge.batch.parquet_source import ParquetSource, parquet_files
from trm_edge.batch.source import RowSource
from trm_edge.batch.text_source import TaskSource, text_source
from trm_edge.errors import PuzzleError
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
    if _is_pipe(path):
        raise PuzzleError(
            f"{path} is not a file or folder, and a run reads its input more than once. Write it "
            "to a file, or pass - and pipe it in: it is copied beside the answers then."
        )
    is_dataset = is_folder(path) and any(path.rglob("*__inputs.npy"))
    if not is_dataset and parquet_files(path):
        return ParquetSource(path)
    if is_folder(path):
        return TaskSource(task, path)
    return text_source(task, path)


def _is_pipe(path: Path) -> bool:
    """Whether a path is of something that can be read once only, or not at all."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False  # whoever opens it says why
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
