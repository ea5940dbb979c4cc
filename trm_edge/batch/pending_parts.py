"""Parts that Ray Data was still writing when its run was killed.

Ray Data writes a part in three steps: a file ``NAME.pending.parquet`` beside the parts, which names
the rows; the part, whose name begins with NAME; and the first file is renamed to ``NAME.parquet``.
A part whose file is still pending may be cut off. What is done about it needs no Ray, so a run can
go on in one process.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

MARKS_NAME = "_checkpoint"  # folder of the files that name the rows
_SUFFIX = ".parquet"
_PENDING = f".pending{_SUFFIX}"


def marks_folder(folder: Path) -> Path:
    """Return where the files that name the rows lie; readers of Parquet folders skip it.

    Args:
        folder: of the run.
    """
    return folder / MARKS_NAME


def remove_pending_parts(folder: Path) -> int:
    """Remove the parts that were not written to their end; their rows are solved again.

    Args:
        folder: of the run, locked.

    Returns:
        How many were pending.

    Raises:
        OSError: a file cannot be removed.
    """
    pending = sorted(marks_folder(folder).glob(f"*{_PENDING}"))
    for mark in pending:
        name = mark.name.removesuffix(_PENDING)
        for part in folder.glob(f"{name}*{_SUFFIX}"):
            part.unlink(missing_ok=True)
        mark.unlink(missing_ok=True)
    return len(pending)


def remove_unmarked_parts(folder: Path, before: Iterable[Path]) -> int:
    """Remove the parts that a worker of a killed run wrote after this run had begun.

    Their mark was removed when this run began, so they have none, and every row in them was solved
    again.

    Args:
        folder: of the run, locked.
        before: parts that were there when this run began.

    Returns:
        How many were removed.

    Raises:
        OSError: a file cannot be removed.
    """
    names = {path.name for path in before}
    marks = tuple(path.name.removesuffix(_SUFFIX) for path in marks_folder(folder).glob("*"))
    removed = 0
    for part in folder.glob(f"*{_SUFFIX}"):
        if part.name not in names and not (marks and part.name.startswith(marks)):
            part.unlink(missing_ok=True)
            removed += 1
    return removed
