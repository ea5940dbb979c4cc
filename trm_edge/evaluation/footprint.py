"""Peak memory and start-up of a process that solves a puzzle: measured in one of its own.

    python -m trm_edge.evaluation.footprint BUNDLE TARGET THREADS

prints the peak. :func:`footprint` starts it, and something to compare it with.
"""

from __future__ import annotations

import re
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trm_edge.errors import BackendError

# What every process pays that runs a model: the ratio to it says what the bundle adds.
_ALONE = f"import numpy, onnxruntime; from {__name__} import peak; print(peak())"
_HIGH_WATER = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True)
class Footprint:
    """A cold process, from nothing to its first answer."""

    seconds: NDArray[np.float64]  # of each start, by the wall's clock
    cpu: NDArray[np.float64]  # CPU time of each: what others on the machine do is not in it
    cpu_alone: NDArray[np.float64]  # of starts beside them, of a process that imports alone
    peak: int  # bytes, median
    peak_alone: int


def footprint(bundle: Path, target: str, *, threads: int = 1, times: int = 5) -> Footprint:
    """Start ``times`` processes of both kinds, in turn.

    Raises:
        BackendError: the process failed; has what it said.
    """
    solve = [sys.executable, "-m", __name__, str(bundle), target, str(threads)]
    own, alone = [], []
    for _ in range(times):
        alone.append(_run([sys.executable, "-c", _ALONE]))
        own.append(_run(solve))
    return Footprint(
        np.array([one.seconds for one in own]),
        np.array([one.cpu for one in own]),
        np.array([one.cpu for one in alone]),
        int(np.median([one.peak for one in own])),
        int(np.median([one.peak for one in alone])),
    )


class _Start(NamedTuple):
    seconds: float
    cpu: float
    peak: int


def _run(command: list[str]) -> _Start:
    began, cpu = time.perf_counter(), _cpu_of_children()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds, cpu = time.perf_counter() - began, _cpu_of_children() - cpu
    if done.returncode:
        raise BackendError(
            f"a process that solves one puzzle failed: {done.stderr.strip()[-2000:]}"
        )
    return _Start(seconds, cpu, int(done.stdout.splitlines()[-1]))


def _cpu_of_children() -> float:
    """Seconds that processes have computed which this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def peak() -> int:
    """Bytes that this process has had in memory at most.

    Linux keeps ``ru_maxrss`` over fork and exec, so that a child of a large process seems large.
    """
    status = Path("/proc/self/status")
    found = _HIGH_WATER.search(status.read_text()) if status.exists() else None
    if found is not None:
        return 1024 * int(found[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


def _main(bundle: str, target: str, threads: str) -> None:
    from trm_edge.bundle import Bundle
    from trm_edge.loop.solver import Solver

    opened = Bundle.open(Path(bundle))
    puzzle = opened.parity().first(1).puzzles()
    backend = opened.backend(target, threads=int(threads))
    with Solver(backend, opened.puzzle_embeddings(), batch=1) as solver:
        list(solver.solve(puzzle))
    print(peak())


if __name__ == "__main__":
    _main(*sys.argv[1:])
