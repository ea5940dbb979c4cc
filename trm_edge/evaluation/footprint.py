"""Peak memory and start-up time of a process that solves one puzzle.

:func:`footprint` starts such processes, each as

    python -m trm_edge.evaluation.footprint BUNDLE TARGET THREADS

which prints its peak memory in bytes, and processes that only import to compare them with.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trm_edge.errors import BackendError

# Imports that every process pays for that runs a model: what exceeds them is the bundle's share.
_IMPORTS_ONLY = f"import numpy, onnxruntime; from {__name__} import peak; print(peak())"
_HIGH_WATER_MARK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True)
class Footprint:
    """Cost of a cold process, from its start to its first answer.

    Args:
        seconds: wall-clock time of each start, (n,).
        cpu: CPU seconds of each start, (n,); other processes on the machine do not count.
        cpu_alone: CPU seconds of processes that only import, started in turn with the others, (n,).
        peak: peak memory in bytes, median.
        peak_alone: peak memory of the processes that only import in bytes, median.
    """

    seconds: NDArray[np.float64]
    cpu: NDArray[np.float64]
    cpu_alone: NDArray[np.float64]
    peak: int
    peak_alone: int


def footprint(bundle: Path, target: str, *, threads: int = 1, times: int = 5) -> Footprint:
    """Start processes that solve one puzzle and processes that only import, in turn.

    Args:
        bundle: folder of the bundle.
        target: name of the target.
        threads: CPU threads of the solver; 0: every core.
        times: number of processes of each sort.

    Raises:
        BackendError: a process failed; includes its standard error.
    """
    solve_command = [sys.executable, "-m", __name__, str(bundle), target, str(threads)]
    import_command = [sys.executable, "-c", _IMPORTS_ONLY]
    solving = []
    importing = []
    for _ in range(times):
        importing.append(_start(import_command, "only imports numpy and ONNX Runtime"))
        solving.append(_start(solve_command, "solves one puzzle"))
    return Footprint(
        seconds=np.array([start.seconds for start in solving]),
        cpu=np.array([start.cpu for start in solving]),
        cpu_alone=np.array([start.cpu for start in importing]),
        peak=int(np.median([start.peak for start in solving])),
        peak_alone=int(np.median([start.peak for start in importing])),
    )


def peak() -> int:
    """Return the peak memory of this process in bytes.

    Linux keeps ``ru_maxrss`` over fork and exec, so that a child of a large process seems large;
    ``VmHWM`` of /proc is used where there is one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        match = _HIGH_WATER_MARK.search(status.read_text())
        if match is not None:
            return 1024 * int(match[1])
    import resource  # POSIX only

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class _Start(NamedTuple):
    seconds: float
    cpu: float  # seconds
    peak: int  # bytes


def _start(command: list[str], purpose: str) -> _Start:
    start_time = time.perf_counter()
    start_cpu = _cpu_of_children()
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start_time
    cpu = _cpu_of_children() - start_cpu
    if process.returncode:
        message = process.stderr.strip()[-2000:]
        raise BackendError(f"a process that {purpose} failed: {message}")
    return _Start(seconds, cpu, int(process.stdout.splitlines()[-1]))


def _cpu_of_children() -> float:
    """CPU seconds of the processes that this one started and that have ended."""
    import resource  # POSIX only

    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


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
