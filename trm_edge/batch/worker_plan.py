"""How many workers share a cluster, and how many rows each of them gets at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from trm_edge.errors import ConfigError

WORKER_THREADS = 4  # of a worker on the CPU; more gain little in the small products of these models
HOST_CPUS = 2.0  # that reading, leaving out finished rows, and writing take of a cluster
IO_CPUS = 0.25  # of a task that reads or writes
_TAIL = 0.05  # of a block's time that its tail may take
_MEAN_SHARE = 1 / 8  # of the largest number of steps that a puzzle takes on average, at least
_SMALLEST_SHARE = 0.1  # of a CPU


@dataclass(frozen=True)
class NodeSize:
    """What a machine of a cluster has.

    Args:
        cpus: that Ray may share out.
        gpus: likewise.
    """

    cpus: float
    gpus: float


@dataclass(frozen=True)
class WorkerPlan:
    """The workers of a run.

    Args:
        count: number of workers.
        gpus: of each worker: 1 or 0.
        threads: CPU threads of each worker.
        cpus: that Ray reserves for each worker.
    """

    count: int
    gpus: int
    threads: int
    cpus: float


def plan_workers(
    nodes: Sequence[NodeSize],
    workers: int | None = None,
    threads: int = 0,
    *,
    host_cpus: float = HOST_CPUS,
) -> WorkerPlan:
    """Share a cluster out: a worker for each GPU, or else for every few CPUs.

    Args:
        nodes: machines of the cluster.
        workers: number of workers; None: as many as fit.
        threads: CPU threads of a worker; 0: by its share of the CPUs.
        host_cpus: that are no worker's.

    Raises:
        ConfigError: there is nothing to share, or not as many GPUs as workers.

    >>> plan_workers([NodeSize(cpus=10, gpus=0)])
    WorkerPlan(count=2, gpus=0, threads=4, cpus=4.0)
    """
    cpus = sum(node.cpus for node in nodes)
    gpus = int(sum(node.gpus for node in nodes))
    if cpus < 1:
        raise ConfigError(
            "the Ray cluster has no CPUs to share. Start its machines with ray start --num-cpus N."
        )
    if gpus:
        if workers is not None and workers > gpus:
            raise ConfigError(
                f"the Ray cluster has {gpus} GPUs, which is fewer than --workers {workers}: each "
                "worker needs one of its own. Leave --workers out for one on every GPU."
            )
        return _on_gpus(workers or gpus, cpus - host_cpus, threads)
    return _on_cpus(cpus - host_cpus, workers, threads)


def _on_gpus(count: int, cpus: float, threads: int) -> WorkerPlan:
    share = _share(1.0, cpus / count)
    return WorkerPlan(count=count, gpus=1, threads=threads or 1, cpus=share)


def _on_cpus(cpus: float, workers: int | None, threads: int) -> WorkerPlan:
    whole = max(1, math.floor(cpus))
    count = workers or max(1, whole // (threads or WORKER_THREADS))
    threads = threads or max(1, whole // count)
    return WorkerPlan(count=count, gpus=0, threads=threads, cpus=_share(threads, cpus / count))


def _share(wanted: float, available: float) -> float:
    """CPUs of a worker, such that all workers find room beside what reads and writes."""
    share = max(_SMALLEST_SHARE, min(wanted, available))
    return math.floor(share * 100) / 100


def block_rows(slots: int, most_steps: int, workers: int, rows: int | None = None) -> int:
    """Choose how many rows a worker gets at a time, so that the tail of a block costs little.

    When a block has no further puzzle for a slot, the slot stands empty until the slowest puzzle of
    the block is done, at most ``most_steps - 1`` steps later. n rows of m steps on average keep all
    slots at work for ``n * m / slots`` steps. With m at least an eighth of the most steps (the
    bundled Sudoku model takes 1.9 of 16), the tail is under 5 % of a block from
    ``n = slots / 0.05 * 8`` rows on.

    Args:
        slots: puzzles that a worker has in work at once.
        most_steps: of a puzzle.
        workers: number of workers.
        rows: that are to be solved in all, where that is known; no worker then stands idle while
            another has two blocks.

    Returns:
        Rows of a block, at least one.

    >>> block_rows(slots=32, most_steps=16, workers=2)
    4800
    >>> block_rows(slots=32, most_steps=16, workers=2, rows=1000)
    500
    """
    if most_steps <= 1:
        size = slots
    else:
        size = math.ceil(slots * (most_steps - 1) / (_TAIL * _MEAN_SHARE * most_steps))
    if rows:
        rounds = math.ceil(rows / (size * workers))
        size = min(size, math.ceil(rows / (rounds * workers)))
    return max(1, size)
