"""How many replicas share a Ray cluster."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trm_edge.batch.worker_plan import NodeSize, WorkerPlan, plan_workers
from trm_edge.errors import ConfigError

_ROUNDING = 1e-6  # of Ray's sums of shares


def plan_replicas(
    nodes: Sequence[NodeSize],
    free: NodeSize,
    replicas: int | None = None,
    threads: int = 0,
    *,
    host_cpus: float = 0.0,
) -> WorkerPlan:
    """Share a cluster out: a replica for each GPU, or else for every few CPUs.

    Args:
        nodes: machines of the cluster.
        free: what nothing else on the cluster has reserved.
        replicas: number of replicas; None: as many as fit.
        threads: CPU threads of a replica; 0: by its share of the CPUs.
        host_cpus: that are no replica's.

    Raises:
        ConfigError: the cluster has fewer GPUs or CPUs, or something else has them.

    >>> cluster = NodeSize(cpus=8, gpus=0)
    >>> plan_replicas([cluster], cluster, replicas=2)
    WorkerPlan(count=2, gpus=0, threads=4, cpus=4.0)
    """
    gpus = int(sum(node.gpus for node in nodes))
    cpus = max(1, math.floor(sum(node.cpus for node in nodes) - host_cpus))
    if gpus and replicas is not None and replicas > gpus:
        raise ConfigError(
            f"each replica needs a GPU of its own, and the Ray cluster has {gpus}, fewer than "
            f"--replicas {replicas}. Leave --replicas out for one on every GPU."
        )
    if not gpus and replicas is not None and replicas > cpus:
        raise ConfigError(
            f"each replica needs a CPU of its own, and the Ray cluster has {cpus} for them, fewer "
            f"than --replicas {replicas}. Leave --replicas out for one for every few CPUs."
        )
    plan = plan_workers(nodes, replicas, threads, host_cpus=host_cpus)
    _check_free(plan, free)
    return plan


def _check_free(plan: WorkerPlan, free: NodeSize) -> None:
    """Refuse replicas that would wait for what something else has reserved.

    Raises:
        ConfigError: says how much is free.
    """
    needed_gpus = plan.count * plan.gpus
    if needed_gpus > free.gpus + _ROUNDING:
        raise ConfigError(
            f"{plan.count} replicas need {needed_gpus} GPUs, and {free.gpus:g} of the Ray "
            "cluster's are free. Ask for as many with --replicas, or stop what has the others."
        )
    needed_cpus = plan.count * plan.cpus
    if needed_cpus > free.cpus + _ROUNDING:
        raise ConfigError(
            f"{plan.count} replicas need {needed_cpus:g} CPUs, and {free.cpus:g} of the Ray "
            "cluster's are free. Ask for fewer with --replicas, or stop what has the others."
        )
