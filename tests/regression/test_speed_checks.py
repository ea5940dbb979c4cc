"""Speed checks that regress and that do not, on invented times: nothing is measured here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.regression.measurements import measured, red, speed, times
from trm_edge.regression.baseline import Speed
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.check import CHECK_IDS, Check
from trm_edge.regression.speed_checks import early_stop, speed_checks, unknown_machine

BOTH = ["latency.slots_1", "latency.slots_8"]


def checks(
    current: Speed, baseline: Speed | None = None, *, same_float32: bool = True
) -> dict[str, Check]:
    compared = speed_checks(current, baseline or speed(), Budgets(), same_float32=same_float32)
    assert {check.id for check in compared} <= set(CHECK_IDS)
    return {check.id: check for check in compared}


def test_the_same_is_not_red() -> None:
    assert {check.verdict for check in checks(speed()).values()} == {"ok"}


@pytest.mark.parametrize("load", [0.0, 0.4])
def test_unchanged_but_noisy_runs_are_hardly_ever_red(load: float) -> None:
    false_alarms = sum(bool(red(checks(speed(seed, load=load)))) for seed in range(1, 201))
    assert false_alarms <= 2


@pytest.mark.parametrize(("slower", "load", "minimum"), [(1.1, 0.2, 190), (1.2, 0.4, 198)])
def test_a_slowdown_is_detected(slower: float, load: float, minimum: int) -> None:
    detected = 0
    for seed in range(1, 201):
        detected += "latency.slots_1" in red(checks(speed(seed, slower, load)))
    assert detected >= minimum


def test_latency_is_relative_to_the_reference_workload_that_shows_the_smallest_change() -> None:
    check = checks(speed(1, 1.2))["latency.slots_1"]
    assert check.unit in ("times_matmul", "times_float32_step")
    assert check.before is not None
    assert check.now is not None
    assert check.change is not None
    assert check.change.relative
    assert check.change.value == pytest.approx(check.now / check.before - 1)
    assert check.budget == 0.05
    assert check.reason is not None
    assert check.reason.startswith("By the ")


def test_both_reference_workloads_must_show_the_slowdown() -> None:
    """A MatMul that another version of the library computes faster makes no step slower."""
    rng = np.random.default_rng(7)
    current = speed(1)
    faster = {}
    for slots, by_name in current.times.items():
        faster[slots] = {**by_name, "matmul": times(rng, 0.2)}
    changed = replace(current, times=faster)
    assert red(checks(changed)) == []
    # But a float32 step that was exported again may have become slower, too.
    assert red(checks(changed, same_float32=False)) == BOTH


def test_seconds_are_compared_without_reference_workloads() -> None:
    def step_only(seed: int, slower: float = 1.0) -> Speed:
        full = speed(seed, slower)
        steps = {slots: {"step": by_name["step"]} for slots, by_name in full.times.items()}
        return replace(full, times=steps)

    compared = checks(step_only(1, 1.2), step_only(0))
    assert red(compared) == BOTH
    check = compared["latency.slots_1"]
    assert check.unit == "milliseconds"
    assert check.before == pytest.approx(1000, rel=0.1)


def test_without_a_common_reference_workload_latency_is_not_compared() -> None:
    full = speed()
    steps = {slots: {"step": by_name["step"]} for slots, by_name in full.times.items()}
    check = checks(replace(full, times=steps))["latency.slots_8"]
    assert check.verdict == "not_compared"
    assert check.reason == "The two have no reference workload in common"


def test_memory_and_start_up() -> None:
    worse = checks(replace(speed(), memory_bytes=24e6, startup_ratio=2.6))
    assert red(worse) == ["memory.peak", "startup.cpu_time"]
    assert (worse["memory.peak"].unit, worse["memory.peak"].now) == ("bytes", 24e6)
    assert worse["startup.cpu_time"].unit == "times_imports"
    assert checks(replace(speed(), memory_bytes=10e6))["memory.peak"].verdict == "better"


def test_another_kind_of_machine_is_reported_and_not_judged() -> None:
    other = replace(speed().machine, cpu="another")
    check = unknown_machine(measured(), other)
    assert check.verdict == "not_compared"
    assert check.reason == (
        "The baseline has times of a CPU (avx2; Linux x86_64), but this is another (avx2; Linux "
        "x86_64): --update on this machine adds it"
    )
    without_times = unknown_machine(measured(speeds=()), other)
    assert without_times.reason is not None
    assert "has times of no machine" in without_times.reason


@pytest.mark.parametrize(
    ("slower", "decided_early"),
    [(1.0, True), (1.05, False), (1.2, True)],
    ids=["same", "at the budget", "slower"],
)
def test_repeats_end_once_the_interval_leaves_out_the_budget(
    slower: float, decided_early: bool
) -> None:
    is_decided = early_stop(speed(load=0.0), Budgets(), same_float32=True)
    assert is_decided("1", speed(1, slower, load=0.0).times["1"]) is decided_early


def test_repeats_of_slots_that_the_baseline_lacks_end_at_once() -> None:
    is_decided = early_stop(speed(), Budgets(), same_float32=True)
    assert is_decided("64", speed(1).times["1"])
