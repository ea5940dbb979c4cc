"""What goes red and what does not, on times that are made up: no test here measures any."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.regression.measurements import measured, red, speed, times
from trm_edge.regression.baseline import Speed
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.check import CHECKS, Check
from trm_edge.regression.speed_checks import decided_by, speed_checks, unknown_machine


def checks(now: Speed, then: Speed | None = None, *, trusted: bool = True) -> dict[str, Check]:
    found = speed_checks(now, then or speed(), Budgets(), trusted=trusted)
    assert {check.name for check in found} <= set(CHECKS)
    return {check.name: check for check in found}


def test_the_same_is_not_red() -> None:
    assert {check.verdict for check in checks(speed()).values()} == {"ok"}


@pytest.mark.parametrize("load", [0.0, 0.4])
def test_unchanged_but_noisy_runs_are_hardly_ever_red(load: float) -> None:
    assert sum(bool(red(checks(speed(seed, load=load)))) for seed in range(1, 201)) <= 2


@pytest.mark.parametrize(("slower", "load", "least"), [(1.1, 0.2, 190), (1.2, 0.4, 198)])
def test_a_slowdown_is_found(slower: float, load: float, least: int) -> None:
    found = sum("a step of 1 slot" in red(checks(speed(s, slower, load))) for s in range(1, 201))
    assert found >= least


def test_both_reference_workloads_have_to_say_slower() -> None:
    """A MatMul that another library version computes quicker makes no step slower."""
    rng = np.random.default_rng(7)
    now = speed(1)
    quicker = {slots: {**by, "matmul": times(rng, 0.2)} for slots, by in now.times.items()}
    changed = replace(now, times=quicker)
    assert red(checks(changed)) == []
    # But a float32 step that was exported anew may have become slower, too.
    slower = ["a step of 1 slot", "a step of 8 slots"]
    assert red(checks(changed, trusted=False)) == slower


def test_seconds_where_nothing_stands_beside_a_step() -> None:
    def alone(seed: int, slower: float = 1.0) -> Speed:
        found = speed(seed, slower)
        return replace(
            found, times={slots: {"step": by["step"]} for slots, by in found.times.items()}
        )

    found = checks(alone(1, 1.2), alone(0))
    assert red(found) == ["a step of 1 slot", "a step of 8 slots"]
    assert found["a step of 1 slot"].then.endswith(" ms")


def test_memory_and_start_up() -> None:
    assert red(checks(replace(speed(), memory=24e6, startup=2.6))) == ["peak memory", "start-up"]
    assert checks(replace(speed(), memory=10e6))["peak memory"].verdict == "better"


def test_another_kind_of_machine_is_told_not_judged() -> None:
    other = replace(speed().machine, cpu="another")
    found = unknown_machine(measured(), other)
    assert found.verdict == "not compared"
    assert found.why == (
        "The baseline knows a CPU (avx2; Linux x86_64), this is another (avx2; Linux x86_64): "
        "--update on this machine adds it"
    )
    assert "The baseline knows no machine" in unknown_machine(measured(speeds=()), other).why


@pytest.mark.parametrize(
    ("slower", "decided_early"),
    [(1.0, True), (1.05, False), (1.2, True)],
    ids=["same", "at it", "slower"],
)
def test_sessions_end_where_the_budget_is_out_of_question(
    slower: float, decided_early: bool
) -> None:
    decided = decided_by(speed(load=0.0), Budgets(), trusted=True)
    assert decided("1", speed(1, slower, load=0.0).times["1"]) is decided_early


def test_sessions_of_slots_that_the_baseline_lacks_end_at_once() -> None:
    decided = decided_by(speed(), Budgets(), trusted=True)
    assert decided("64", speed(1).times["1"])
