"""Latency, memory and start-up against the baseline's, on a machine of the same kind."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trm_edge.evaluation.machine import Machine
from trm_edge.evaluation.timing import Ratio, change
from trm_edge.regression.baseline import Measurement, Speed, Times
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.check import Check, compared, exactly, not_compared, percent, verdict_of
from trm_edge.regression.speed import FLOAT32, STEP, Decided


def unknown_machine(baseline: Measurement, here: Machine) -> Check:
    machines = "; ".join(one.machine.kind for one in baseline.speeds) or "no machine"
    why = f"The baseline knows {machines}, this is {here.kind}: --update on this machine adds it"
    return not_compared("speed", why)


def speed_checks(now: Speed, then: Speed, budgets: Budgets, *, trusted: bool) -> list[Check]:
    """
    Args:
        trusted: the float32 step is the same file. One that was itself exported anew may have
            become slower with the other.
    """
    checks = [
        _latency(slots, now.times[slots], then.times[slots], budgets, trusted=trusted)
        for slots in now.times
        if slots in then.times
    ]
    return [*checks, *_process(now, then, budgets)]


def decided_by(then: Speed, budgets: Budgets, *, trusted: bool) -> Decided:
    """Whether sessions enough were measured: the change's interval leaves out the budget."""

    def decided(slots: str, times: Times) -> bool:
        found = list(_changes(times, then.times.get(slots, {}), trusted=trusted).values())
        limit = 1 + budgets.latency / 100
        return any(one.high < limit for one in found) or all(one.low > limit for one in found)

    return decided


def _changes(now: Times, then: Times, *, trusted: bool) -> dict[str, Ratio]:
    """By reference workload, how much longer a step takes beside it than it did.

    Where nothing stands beside a step, its seconds are compared: the machine is of the same kind.
    """
    if set(now) == set(then) == {STEP}:
        return {STEP: change(now[STEP], then[STEP])}
    return {
        name: change(now[STEP] / now[name], then[STEP] / then[name])
        for name in now
        if name != STEP and name in then and (trusted or name != FLOAT32)
    }


def _latency(slots: str, now: Times, then: Times, budgets: Budgets, *, trusted: bool) -> Check:
    """The reference workload by which it changed least decides: all of them have to say slower."""
    name = f"a step of {slots} slot{'' if slots == '1' else 's'}"
    found = _changes(now, then, trusted=trusted)
    if not found:
        return not_compared(name, "No reference workload is in both")
    by = min(found, key=lambda key: abs(found[key].median - 1))
    verdicts = {verdict_of(one, budgets.latency) for one in found.values()}
    return Check(
        name,
        verdicts.pop() if len(verdicts) == 1 else "ok",
        _duration(then, by),
        _duration(now, by),
        percent(found[by]),
        f"+{budgets.latency:g} %",
        "; ".join(f"by the {key} {percent(one)}" for key, one in found.items() if key != by),
    )


def _duration(times: Times, by: str) -> str:
    """Of a step, as a person reads it beside its reference workload."""
    if by == STEP:
        return f"{1e3 * np.median(times[STEP]):.3g} ms"
    return f"{np.median(times[STEP] / times[by]):.3g} of a {by}"


def _process(now: Speed, then: Speed, budgets: Budgets) -> Iterator[Check]:
    for name, value, before, unit, scale, budget in (
        ("peak memory", now.memory, then.memory, "MB", 1e6, budgets.memory),
        ("start-up", now.startup, then.startup, "x imports", 1.0, budgets.startup),
    ):
        texts = (f"{one / scale:.2f} {unit}" for one in (before, value))
        yield compared(name, exactly(value, before), budget, *texts)
