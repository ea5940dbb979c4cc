"""Memory and CPU time of a process and everything that it has started, from ``/proc``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
# Fields of /proc/PID/stat after the name, counted from the state of the process.
_PARENT = 1
_CPU = slice(11, 13)  # user and system time, its own alone


@dataclass(frozen=True)
class ProcessUse:
    """What a process uses.

    Args:
        pid: of the process.
        title: its command line.
        own_bytes: memory without shared one; a page of a file is shared out among its users.
        shared_bytes: its part of shared memory, such as Ray's object store.
        cpu_seconds: its own, without its children.
    """

    pid: int
    title: str
    own_bytes: int
    shared_bytes: int
    cpu_seconds: float


def process_tree(root: int) -> list[ProcessUse]:
    """List a process and its descendants; what ends meanwhile is left out.

    Args:
        root: process id.
    """
    stats = _all_stats()
    children: dict[int, list[int]] = {}
    for pid, fields in stats.items():
        children.setdefault(int(fields[_PARENT]), []).append(pid)
    uses = []
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        waiting += children.get(pid, [])
        memory = _memory(pid)
        if pid in stats and memory is not None:
            ticks = sum(map(int, stats[pid][_CPU]))
            uses.append(ProcessUse(pid, _title(pid), *memory, ticks / _TICKS))
    return uses


def _all_stats() -> dict[int, list[str]]:
    """The fields of every process, by process id."""
    stats = {}
    for path in _PROC.glob("[0-9]*/stat"):
        text = _text(path)
        if text:
            stats[int(path.parent.name)] = text.rpartition(")")[2].split()
    return stats


def _memory(pid: int) -> tuple[int, int] | None:
    """Bytes of its own and shared bytes, in proportion."""
    kilobytes = {}
    for line in _text(_PROC / str(pid) / "smaps_rollup").splitlines()[1:]:
        name, _, value = line.partition(":")
        kilobytes[name] = int(value.split()[0])
    if not kilobytes:
        return None
    shared = kilobytes["Pss_Shmem"]
    return (kilobytes["Pss"] - shared) << 10, shared << 10


def _title(pid: int) -> str:
    return _text(_PROC / str(pid) / "cmdline").replace("\0", " ").strip()


def _text(path: Path) -> str:
    """The text of a file; nothing where its process has ended, or is another user's."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
