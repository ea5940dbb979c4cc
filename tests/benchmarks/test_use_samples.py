"""Samples of what a run uses."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import pytest

from tests.benchmarks.scripts import use_samples


def sample(seconds: float, rows: int, cpu_seconds: float, driver: float, store: float = 0) -> Any:
    kinds = dict.fromkeys(use_samples().KINDS, 0.0)
    megabytes = {**kinds, "driver": driver, "store": store}
    return use_samples().UseSample(seconds, rows, cpu_seconds, megabytes)


SAMPLES = [
    (0.0, 0, 5.0, 900.0),  # before the first row, which is no part of the costs
    (4.0, 0, 9.0, 100.0),
    (5.0, 250, 9.5, 110.0),
    (6.0, 500, 10.0, 130.0),
    (7.0, 500, 10.0, 120.0),
    (9.0, 1000, 13.0, 115.0),
]


def samples() -> list[Any]:
    return [sample(*values) for values in SAMPLES]


def test_costs_are_those_of_the_parts_after_the_first() -> None:
    clock, cpu = use_samples().microseconds_a_row(samples(), 4)
    assert clock == pytest.approx([4000, 6000, 6000])
    assert cpu == pytest.approx([2000, 6000, 6000])


def test_the_memory_at_a_row_and_the_peak_after_it() -> None:
    at = use_samples().sample_at
    assert at(samples(), 500).megabytes["driver"] == 130
    assert at(samples(), 1001).rows == 1000
    peak = use_samples().peak([*samples(), sample(9, 1000, 13, 90, store=50)], 1)
    assert (peak["driver"], peak["store"], peak["total"]) == (130, 50, 140)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_run_is_sampled_to_its_end() -> None:
    rows = iter(range(1, 1_000_000))
    sampler = use_samples().UseSampler(lambda: next(rows), set, 0.01)
    start = time.process_time()
    with sampler.running():
        while time.process_time() - start < 0.2:
            pass
    first, *_, last = sampler.samples
    assert first.rows == 1
    assert last.rows == len(sampler.samples) > 1
    assert last.cpu_seconds > first.cpu_seconds
    assert last.seconds > first.seconds
    assert last.megabytes["driver"] > 10
    assert last.megabytes["solvers"] == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_processes_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    module = use_samples()
    use = sys.modules["lib.process_tree"].ProcessUse
    uses = [
        use(os.getpid(), "python", 1_000_000, 0, 1.0),
        use(2, "ray::MapBatches(RayWorker)", 2_000_000, 500_000, 2.0),
        use(3, "ray::IDLE", 4_000_000, 500_000, 3.0),
        use(4, "/usr/bin/raylet", 8_000_000, 0, 4.0),
    ]
    monkeypatch.setattr(module, "process_tree", lambda _: uses)
    sampler = module.UseSampler(lambda: 7, lambda: {2}, 60.0)
    with sampler.running():
        pass
    (only,) = sampler.samples
    megabytes = {"driver": 1, "solvers": 2, "helpers": 4, "services": 8, "store": 1}
    assert only.megabytes == megabytes
    assert only.total == 16
    assert only.cpu_seconds == pytest.approx(10)
    assert only.rows == 7


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_time_of_a_process_that_has_ended_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    module = use_samples()
    use = sys.modules["lib.process_tree"].ProcessUse
    uses = [use(os.getpid(), "python", 0, 0, 1.0), use(2, "ray::MapBatches(RayWorker)", 0, 0, 2.0)]
    monkeypatch.setattr(module, "process_tree", lambda _: uses)
    sampler: Any = module.UseSampler(lambda: len(sampler.samples), set, 0.01)
    with sampler.running():
        while len(sampler.samples) < 2:
            time.sleep(0.001)
        uses = uses[:1]
    assert sampler.samples[-1].megabytes["solvers"] == 0
    assert sampler.samples[-1].cpu_seconds == pytest.approx(3, abs=0.1)
