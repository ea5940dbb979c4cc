"""Files that this process holds open, to see that what was opened is closed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest


def open_files(folder: Path) -> list[str]:
    """List the files below a folder that this process has open, or in its memory.

    Skips the test where the system does not tell.

    Args:
        folder: that holds the files.
    """
    if sys.platform != "linux":
        pytest.skip("needs /proc")
    start = f"{folder.resolve()}{os.sep}"
    names = []
    for handle in Path("/proc/self/fd").iterdir():
        try:
            names.append(str(handle.readlink()))
        except FileNotFoundError:  # the handle of the listing itself
            continue
    for line in Path("/proc/self/maps").read_text().splitlines():
        names.append(f"/{line.partition('/')[2]}")
    return sorted(name for name in names if name.startswith(start))
