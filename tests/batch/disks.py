"""Small disks, to see what a run does on one that is full or read-only."""

from __future__ import annotations

import gc
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[None]:
    """Mount a tmpfs until the block ends; skips the test where this user cannot.

    Readers of Parquet folders read in threads, which hold a file open for some moments after the
    table is there. So the disk is taken out of the folders at once, and freed with its last file.

    Args:
        place: where it is mounted; does not exist.
        size: of the disk, such as ``64k``.
    """
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        place.rmdir()
        pytest.skip("needs the right to mount a tmpfs")
    try:
        yield
    finally:
        gc.collect()
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def remount(place: Path, option: str) -> None:
    """Change a mounted disk.

    Args:
        place: where it is mounted.
        option: of the mount, such as ``size=1m`` or ``ro``.
    """
    subprocess.run(["mount", "-o", f"remount,{option}", str(place)], check=True)
