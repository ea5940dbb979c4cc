"""Parts that Ray Data was still writing when its run was killed.

Ray Data writes a part in three steps: a mark ``NAME.pending.parquet``, which names the rows; the
part, whose name begins with NAME; and the mark is renamed to ``NAME.parquet``. A part whose mark is
pending may be cut off. A worker may also outlive its driver for a while, and write its part when
the mark is gone and another run has solved the rows again. What is done about both needs no Ray, so
a run can go on in one process.
"""

from __future__ import annotations

import re
from pathlib import Path

MARKS_NAME = "_checkpoint"  # folder of the marks; readers of Parquet folders skip it
_SUFFIX = ".parquet"
_PENDING = f".pending{_SUFFIX}"
_REMOVED = ".removed"  # of a mark whose part is not to come any more
_MARKED = re.compile(r"(rows-(?P<run>[0-9a-f]{32})-[0-9]{8,})-[0-9]+\.parquet")
_MARK = re.compile(r"rows-(?P<run>[0-9a-f]{32})-[0-9]{8,}\.(parquet|removed)")


def part_name(run: str, task: int) -> str:
    """Name what a task writes, the same when it is repeated.

    Args:
        run: of Ray, 32 hexadecimal digits.
        task: number of the task in it.
    """
    return f"rows-{run}-{task:08}{_SUFFIX}"


def marks_folder(folder: Path) -> Path:
    """Return where the marks lie.

    Args:
        folder: of the run.
    """
    return folder / MARKS_NAME


def remove_unfinished_parts(folder: Path) -> int:
    """Remove parts that were not written to their end, or came late; their rows are solved again.

    A part that came late is of a run that has marks, and has none itself. The marks of a run that
    has come to its end are gone, and its parts stay.

    Args:
        folder: of the run, locked.

    Returns:
        How many parts were removed.

    Raises:
        OSError: a file cannot be removed.
    """
    marks = marks_folder(folder)
    for mark in sorted(marks.glob(f"*{_PENDING}")):
        mark.rename(mark.with_name(mark.name.removesuffix(_PENDING) + _REMOVED))
    names = {path.name for path in marks.glob("*")}
    runs = {match["run"] for match in map(_MARK.fullmatch, names) if match}
    removed = 0
    for part in folder.glob(f"*{_SUFFIX}"):
        match = _MARKED.fullmatch(part.name)
        if match and match["run"] in runs and f"{match[1]}{_SUFFIX}" not in names:
            part.unlink(missing_ok=True)
            removed += 1
    return removed
