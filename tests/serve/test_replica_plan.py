"""How replicas share a cluster, and when they do not fit."""

from __future__ import annotations

import pytest

from trm_edge.batch.worker_plan import HOST_CPUS, NodeSize, WorkerPlan
from trm_edge.errors import ConfigError
from trm_edge.serve.replica_plan import plan_replicas

GPUS = [NodeSize(cpus=16, gpus=2)] * 2
CPUS = [NodeSize(cpus=4, gpus=0)] * 2


def total(nodes: list[NodeSize]) -> NodeSize:
    return NodeSize(sum(node.cpus for node in nodes), sum(node.gpus for node in nodes))


def test_every_gpu_gets_a_replica() -> None:
    assert plan_replicas(GPUS, total(GPUS)) == WorkerPlan(count=4, gpus=1, threads=1, cpus=1.0)


def test_cpus_are_shared() -> None:
    assert plan_replicas(CPUS, total(CPUS)) == WorkerPlan(count=2, gpus=0, threads=4, cpus=4.0)
    assert plan_replicas(CPUS, total(CPUS), 8) == WorkerPlan(count=8, gpus=0, threads=1, cpus=1.0)
    assert plan_replicas(CPUS, total(CPUS), threads=2).count == 4


def test_cpus_in_the_books_alone_are_no_replicas() -> None:
    nodes = [NodeSize(cpus=2 + HOST_CPUS, gpus=0)]
    plan = plan_replicas(nodes, total(nodes), 2, host_cpus=HOST_CPUS)
    assert plan == WorkerPlan(count=2, gpus=0, threads=1, cpus=1.0)
    with pytest.raises(ConfigError, match=r"has 2 for them, fewer than --replicas 3"):
        plan_replicas(nodes, total(nodes), 3, host_cpus=HOST_CPUS)


@pytest.mark.parametrize(
    ("nodes", "replicas", "message"),
    [
        (GPUS, 5, r"a GPU of its own, and the Ray cluster has 4, fewer than --replicas 5"),
        (CPUS, 9, r"a CPU of its own, and the Ray cluster has 8 for them, fewer than --replicas 9"),
    ],
)
def test_more_than_the_cluster_has(nodes: list[NodeSize], replicas: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan_replicas(nodes, total(nodes), replicas)


def test_what_others_have_reserved_is_not_free() -> None:
    with pytest.raises(ConfigError, match=r"4 replicas need 4 GPUs, and 3 of the Ray cluster's"):
        plan_replicas(GPUS, NodeSize(cpus=32, gpus=3))
    assert plan_replicas(GPUS, NodeSize(cpus=32, gpus=3), 3).count == 3
    with pytest.raises(ConfigError, match=r"2 replicas need 8 CPUs, and 2.5 of the Ray cluster's"):
        plan_replicas(CPUS, NodeSize(cpus=2.5, gpus=0))


def test_shares_that_ray_rounds_fit() -> None:
    nodes = [NodeSize(cpus=1, gpus=0)]
    assert plan_replicas(nodes, NodeSize(cpus=0.9999999, gpus=0)).count == 1
