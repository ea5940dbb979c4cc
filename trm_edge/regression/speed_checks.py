"""Checks of latency, memory and start-up against the baseline's on a machine of the same kind."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trm_edge.evaluation.machine import Machine
from trm_edge.evaluation.timing import Ratio, change
from trm_edge.regression.baseline import Measurement, Speed, Times
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.check import (
    Change,
    Check,
    Unit,
    Verdict,
    exact_ratio,
    not_compared,
    percent,
    relative_check,
    verdict_of,
)
from trm_edge.regression.speed import FLOAT32, MATMUL, STEP, IsDecided

_UNITS: dict[str, Unit] = {
    STEP: "milliseconds",
    MATMUL: "times_matmul",
    FLOAT32: "times_float32_step",
}


def unknown_machine(baseline: Measurement, machine: Machine) -> Check:
    """Build the check of a machine that the baseline has no times of.

    Args:
        baseline: the baseline.
        machine: the machine that would have measured.
    """
    kinds = "; ".join(speed.machine.kind for speed in baseline.speeds) or "no machine"
    reason = (
        f"The baseline has times of {kinds}, but this is {machine.kind}: --update on this machine "
        "adds it"
    )
    return not_compared("speed", reason)


def speed_checks(
    current: Speed, baseline: Speed, budgets: Budgets, *, same_float32: bool
) -> list[Check]:
    """Compare speed and memory.

    Args:
        current: as they are.
        baseline: as they were, on a machine of the same kind.
        budgets: changes that are allowed.
        same_float32: the float32 step graph is the same file. One that was exported again may have
            become slower together with the step, so it is not used as a reference workload.
    """
    checks = []
    for slots, times in current.times.items():
        if slots in baseline.times:
            before = baseline.times[slots]
            checks.append(_latency(slots, times, before, budgets, same_float32=same_float32))
    checks += _process(current, baseline, budgets)
    return checks


def early_stop(baseline: Speed, budgets: Budgets, *, same_float32: bool) -> IsDecided:
    """Build the rule that ends timing once the interval of the change leaves out the budget.

    Args:
        baseline: speed as it was.
        budgets: changes that are allowed.
        same_float32: as in :func:`speed_checks`.
    """
    limit = 1 + budgets.latency / 100

    def is_decided(slots: str, times: Times) -> bool:
        before = baseline.times.get(slots, {})
        changes = _changes(times, before, same_float32=same_float32).values()
        fast_enough = any(ratio.high < limit for ratio in changes)
        too_slow = all(ratio.low > limit for ratio in changes)
        return fast_enough or too_slow

    return is_decided


def _changes(current: Times, baseline: Times, *, same_float32: bool) -> dict[str, Ratio]:
    """Growth of a step's time relative to each reference workload, by its name.

    Seconds are compared where there is no reference workload: the machine is of the same kind.
    """
    if set(current) == set(baseline) == {STEP}:
        return {STEP: change(current[STEP], baseline[STEP])}
    changes = {}
    for name in current:
        usable = name in (MATMUL, FLOAT32) and name in baseline
        if name == FLOAT32 and not same_float32:
            usable = False
        if usable:
            changes[name] = change(current[STEP] / current[name], baseline[STEP] / baseline[name])
    return changes


def _latency(
    slots: str, current: Times, baseline: Times, budgets: Budgets, *, same_float32: bool
) -> Check:
    """Compare a step's time; it regressed only if all reference workloads say so.

    Where all say that it is slower and some are not sure, there is no verdict.
    The figures shown are those by the reference workload that shows the smallest change.
    """
    check_id = f"latency.slots_{slots}"
    changes = _changes(current, baseline, same_float32=same_float32)
    if not changes:
        return not_compared(check_id, "The two have no reference workload in common")
    shown = min(changes, key=lambda name: abs(changes[name].median - 1))
    verdicts = {verdict_of(ratio, budgets.latency) for ratio in changes.values()}
    reasons = []
    for name, ratio in changes.items():
        if name != shown:
            reasons.append(
                f"By the {_words(name)} {percent(Change.of_ratio(ratio), budgets.latency / 100)}"
            )
    verdict: Verdict = "ok"
    if len(verdicts) == 1:
        verdict = verdicts.pop()
    elif verdicts == {"regressed", "inconclusive"}:
        verdict = "inconclusive"
    if verdict == "inconclusive":
        reasons.append("Noise forbids a verdict; more --repeats narrow the interval")
    return Check(
        id=check_id,
        verdict=verdict,
        unit=_UNITS[shown],
        before=_duration(baseline, shown),
        now=_duration(current, shown),
        change=Change.of_ratio(changes[shown]),
        budget=budgets.latency / 100,
        reason="; ".join(reasons) or None,
    )


def _duration(times: Times, name: str) -> float:
    """A step's time: milliseconds, or a multiple of a reference workload's time."""
    if name == STEP:
        return 1e3 * float(np.median(times[STEP]))
    return float(np.median(times[STEP] / times[name]))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _process(current: Speed, baseline: Speed, budgets: Budgets) -> Iterator[Check]:
    yield relative_check(
        "memory.peak",
        exact_ratio(current.memory_bytes, baseline.memory_bytes),
        budgets.memory,
        unit="bytes",
        before=baseline.memory_bytes,
        now=current.memory_bytes,
    )
    yield relative_check(
        "startup.cpu_time",
        exact_ratio(current.startup_ratio, baseline.startup_ratio),
        budgets.startup,
        unit="times_imports",
        before=baseline.startup_ratio,
        now=current.startup_ratio,
    )
