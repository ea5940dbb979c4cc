"""How a cluster is shared out, and how large blocks are."""

from __future__ import annotations

import numpy as np
import pytest

from trm_edge.backends.fake import FAKE_CONFIG, FakeBackend
from trm_edge.batch.worker_plan import (
    HOST_CPUS,
    NodeSize,
    WorkerPlan,
    block_rows,
    plan_workers,
)
from trm_edge.errors import ConfigError
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle


def test_every_gpu_gets_a_worker() -> None:
    plan = plan_workers([NodeSize(cpus=96, gpus=8)] * 10)
    assert plan == WorkerPlan(count=80, gpus=1, threads=1, cpus=1.0)


def test_fewer_workers_than_gpus_on_request_and_never_more() -> None:
    nodes = [NodeSize(cpus=16, gpus=2)]
    assert plan_workers(nodes, workers=1).count == 1
    with pytest.raises(ConfigError, match=r"has 2 GPUs, which is fewer than --workers 3"):
        plan_workers(nodes, workers=3)


@pytest.mark.parametrize(
    ("cpus", "workers", "threads", "count", "each"),
    [
        (4, None, 0, 1, 2),  # two cores, and two more in Ray's books
        (10, None, 0, 2, 4),
        (10, 8, 0, 8, 1),
        (10, None, 2, 4, 2),
        (10, 2, 1, 2, 1),
        (1, None, 0, 1, 1),
        (2, 2, 0, 2, 1),
    ],
)
def test_cpus_are_shared_with_room_for_reading_and_writing(
    cpus: float, workers: int | None, threads: int, count: int, each: int
) -> None:
    plan = plan_workers([NodeSize(cpus=cpus, gpus=0)], workers, threads)
    assert (plan.count, plan.threads, plan.gpus) == (count, each, 0)
    assert plan.cpus > 0
    if cpus > HOST_CPUS:
        assert plan.count * plan.cpus <= cpus - HOST_CPUS + 1e-9


def test_a_cluster_without_cpus_is_refused() -> None:
    with pytest.raises(ConfigError, match="no CPUs to share"):
        plan_workers([NodeSize(cpus=0, gpus=4)])


@pytest.mark.parametrize("slots", [4, 32])
@pytest.mark.parametrize("most_steps", [4, 16])
def test_the_tail_of_a_block_costs_under_five_percent(slots: int, most_steps: int) -> None:
    rows = block_rows(slots, most_steps, workers=2)
    rng = np.random.default_rng(0)
    puzzles = []
    for _ in range(rows):
        # The fake model takes 1 + sum(tokens) % 16 steps: one step mostly, the most at times.
        steps = most_steps if rng.random() < 0.1 else 1
        tokens = np.zeros(FAKE_CONFIG.seq_len, np.int32)
        tokens[0] = min(steps - 1, 10)
        tokens[1] = steps - 1 - tokens[0]
        puzzles.append(Puzzle(tokens))
    with Solver(FakeBackend(), batch=slots) as solver:
        for _ in solver.solve(puzzles):
            pass
        assert solver.slot_steps < solver.capacity_steps  # there is a tail
        assert solver.slot_steps / solver.capacity_steps > 0.95


def test_no_worker_is_left_without_a_block() -> None:
    most = block_rows(32, 16, workers=2)
    assert block_rows(32, 16, workers=2, rows=100) == 50
    assert block_rows(32, 16, workers=2, rows=2 * most) == most
    assert block_rows(32, 16, workers=2, rows=2 * most + 2) == most // 2 + 1
    assert block_rows(32, 16, workers=2, rows=1) == 1
    assert block_rows(8, 1, workers=2) == 8
