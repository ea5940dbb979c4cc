"""Slower or wronger than the baseline? Each check says by how much and how sure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trm_edge.evaluation.baseline import Answers, Measured, Speed
from trm_edge.evaluation.budgets import Budgets
from trm_edge.evaluation.measure import FLOAT32, STEP
from trm_edge.evaluation.statistics import mcnemar_exact, paired_drop
from trm_edge.evaluation.timing import Ratio, change, undisturbed

Verdict = Literal["ok", "better", "regressed", "not compared"]
# Every name that a check can have with the slots that are timed by default.
CHECKS = (
    "puzzles",
    "labels",
    "exact match, fixed",
    "exact match, adaptive",
    "same halting step",
    "ACT steps",
    "error of the carry",
    "size of the step graph",
    "size of the engine",
    "layers in float",
    "precision of the engine's layers",
    "speed",
    "a step of 1 slot",
    "a step of 8 slots",
    "peak memory",
    "start-up",
    "limits against float32",
)
_WIDTHS = ("int4", "int8", "fp8", "float16", "bfloat16", "float32")  # narrow to wide
_LEAST_ERROR = 1e-6  # of a carry: below it two engines are one


@dataclass(frozen=True)
class Check:
    """One figure held against the baseline's."""

    name: str
    verdict: Verdict
    then: str
    now: str
    change: str  # by how much, with its 95 % interval where it has one
    budget: str
    why: str = ""  # where it is not plain: what the verdict rests on

    @property
    def line(self) -> str:
        """A sentence for people and logs."""
        change = f" ({self.change}, allowed {self.budget})" if self.change else ""
        why = f". {self.why}" if self.why else ""
        if self.verdict == "not compared":
            return f"{self.name}: not compared{why}"
        return f"{self.name}: {self.then} before, {self.now} now{change}{why}"


def compare_with_baseline(now: Measured, then: Measured, budgets: Budgets) -> list[Check]:
    """Every check, in the order in which people read them."""
    return [
        *_answers(now.answers, then.answers, budgets),
        *_sizes(now.sizes, then.sizes, budgets),
        *_layers(now, then),
        *speed_checks(now, then, budgets),
    ]


def regressed(checks: list[Check]) -> list[Check]:
    """Those for which CI goes red."""
    return [check for check in checks if check.verdict == "regressed"]


# --- answers -----------------------------------------------------------------------------------


def _answers(now: Answers, then: Answers, budgets: Budgets) -> Iterator[Check]:
    if now.puzzles != then.puzzles:
        yield _different("puzzles", "the held-out puzzles are others", then, now)
        return
    if now.labels != then.labels:
        yield _different(
            "labels", "the puzzles are the same, their known answers are not", then, now
        )
        return
    for mode in ("fixed", "adaptive"):
        yield _exact(mode, getattr(now, f"right_{mode}"), getattr(then, f"right_{mode}"), budgets)
    yield _agreement(now.steps, then.steps, budgets)
    yield _steps(now.steps, then.steps, budgets)
    yield _fidelity(now.error, then.error, budgets)


def _different(name: str, why: str, then: Answers, now: Answers) -> Check:
    return Check(
        name,
        "regressed",
        f"{len(then)} ({getattr(then, name)[:12]})",
        f"{len(now)} ({getattr(now, name)[:12]})",
        "",
        "",
        f"Answers cannot be compared: {why}. If that is meant, write the baseline again with "
        "--update",
    )


def _exact(mode: str, now: NDArray[np.bool_], then: NDArray[np.bool_], budgets: Budgets) -> Check:
    lost, gained = int((then & ~now).sum()), int((now & ~then).sum())
    low, high = (100 * bound for bound in paired_drop(lost, gained, len(now)))
    drop = 100 * (lost - gained) / len(now)
    verdict: Verdict = "ok"
    if drop > budgets.max_drop and low > 0:
        verdict = "regressed"
    elif high < 0:
        verdict = "better"
    return Check(
        f"exact match, {mode}",
        verdict,
        f"{100 * then.mean():.1f} %",
        f"{100 * now.mean():.1f} %",
        f"{0 - drop:+.2f} points, 95 % {-high:+.2f} to {-low:+.2f}",
        f"-{budgets.max_drop:g}",
        f"{lost} lost, {gained} gained of {len(now)}, p {mcnemar_exact(lost, gained):.3g}"
        if lost or gained
        else "",
    )


def _agreement(now: NDArray[np.int32], then: NDArray[np.int32], budgets: Budgets) -> Check:
    same = float((now == then).mean())
    return Check(
        "same halting step",
        "ok" if same >= budgets.halting_agreement else "regressed",
        "100 %",
        f"{100 * same:.1f} %",
        f"{100 * (same - 1):+.1f} points",
        f"at least {100 * budgets.halting_agreement:g} %",
    )


def _steps(now: NDArray[np.int32], then: NDArray[np.int32], budgets: Budgets) -> Check:
    more = (now - then).astype(np.float64)
    mean = float(then.mean())
    half = 1.96 * float(more.std()) / np.sqrt(len(more))
    found = Ratio(*(1 + (float(more.mean()) + shift) / mean for shift in (0.0, -half, half)))
    return Check(
        "ACT steps",
        _verdict(found, budgets.steps),
        f"{mean:.2f}",
        f"{now.mean():.2f}",
        _percent(found),
        f"+{budgets.steps:g} %",
    )


def _fidelity(now: NDArray[np.float64], then: NDArray[np.float64], budgets: Budgets) -> Check:
    """By puzzle: a single changed weight moves all of them a little, a flip only a few."""
    pairs = np.log(np.maximum(now, _LEAST_ERROR) / np.maximum(then, _LEAST_ERROR))
    half = 1.96 * float(pairs.std()) / np.sqrt(len(pairs))
    found = Ratio(*(float(np.exp(pairs.mean() + shift)) for shift in (0.0, -half, half)))
    return Check(
        "error of the carry",
        _verdict(found, budgets.fidelity),
        f"{then.mean():.2e}",
        f"{now.mean():.2e}",
        _percent(found),
        f"+{budgets.fidelity:g} %",
    )


# --- what is on disk ---------------------------------------------------------------------------


def _sizes(now: Mapping[str, int], then: Mapping[str, int], budgets: Budgets) -> Iterator[Check]:
    for name in sorted({*now, *then}, reverse=True):
        if name not in now or name not in then:
            where = "now" if name in now else "before"
            why = f"There is one only {where}"
            yield Check(f"size of the {name}", "not compared", "", "", "", "", why)
            continue
        found = now[name] / then[name]
        yield Check(
            f"size of the {name}",
            _verdict(Ratio(found, found, found), budgets.size),
            f"{then[name] / 1e3:.1f} kB",
            f"{now[name] / 1e3:.1f} kB",
            f"{100 * (found - 1):+.1f} %",
            f"+{budgets.size:g} %",
        )


def _layers(now: Measured, then: Measured) -> Iterator[Check]:
    added = [layer for layer in now.float_layers if layer not in then.float_layers]
    yield Check(
        "layers in float",
        "regressed" if added else "ok",
        str(len(then.float_layers)),
        str(len(now.float_layers)),
        "",
        "none more",
        f"In float now: {', '.join(added)}" if added else "",
    )
    if then.engine_layers and now.engine_layers:
        changed = [
            f"{layer} ({kind} before, {now.engine_layers.get(layer, 'gone')} now)"
            for layer, kind in then.engine_layers.items()
            if _widest(now.engine_layers.get(layer, "float32")) > _widest(kind)
        ]
        yield Check(
            "precision of the engine's layers",
            "regressed" if changed else "ok",
            f"{len(then.engine_layers)} layers",
            f"{len(now.engine_layers)} layers",
            "",
            "none wider",
            f"Wider now: {', '.join(changed)}" if changed else "",
        )


def _widest(kinds: str) -> int:
    return max((_WIDTHS.index(kind) for kind in _WIDTHS if f"{kind} x" in kinds), default=-1)


# --- speed -------------------------------------------------------------------------------------


def speed_checks(now: Measured, then: Measured, budgets: Budgets) -> list[Check]:
    """Latency, memory and start-up, where the baseline knows a machine of this kind."""
    if not now.speeds:
        return []
    here = now.speeds[0]
    known = then.speed_of(here.machine)
    if known is None:
        machines = "; ".join(one.machine.cpu for one in then.speeds) or "no machine"
        why = (
            f"The baseline knows {machines}, this is {here.machine.cpu}: --update on this machine "
            "adds it"
        )
        return [Check("speed", "not compared", "", "", "", "", why)]
    # A float32 step that was itself exported anew may have become slower with the other.
    trusted = now.float32_sha256 == then.float32_sha256
    checks = [
        _latency(slots, here.times[slots], known.times[slots], budgets, trusted=trusted)
        for slots in here.times
        if slots in known.times
    ]
    return [*checks, *_process(here, known, budgets)]


def _latency(
    slots: str,
    now: Mapping[str, NDArray[np.float64]],
    then: Mapping[str, NDArray[np.float64]],
    budgets: Budgets,
    *,
    trusted: bool,
) -> Check:
    """The yardstick by which it changed least decides: both have to say slower.

    Where nothing stands beside a step, its seconds are compared: the machine is of the same kind.
    """
    step = now[STEP], then[STEP]
    found = {
        name: change((step[0], now[name]), (step[1], then[name]))
        for name in now
        if name != STEP and name in then and (trusted or name != FLOAT32)
    }
    seconds = [np.ones_like(times) for times in step]
    if set(now) == set(then) == {STEP}:
        found = {STEP: change((step[0], seconds[0]), (step[1], seconds[1]))}
    name = f"a step of {slots} slot{'' if slots == '1' else 's'}"
    if not found:
        return Check(name, "not compared", "", "", "", "", "No yardstick is in both")
    by = min(found, key=lambda key: abs(found[key].median - 1))
    verdicts = {_verdict(one, budgets.latency) for one in found.values()}
    unit = "ms" if by == STEP else f"of a {by}"
    before, after = (
        1e3 * undisturbed(times[STEP], alone) if by == STEP else undisturbed(times[STEP], times[by])
        for times, alone in zip((then, now), reversed(seconds), strict=True)
    )
    others = [f"by the {key} {_percent(one)}" for key, one in found.items() if key != by]
    return Check(
        name,
        verdicts.pop() if len(verdicts) == 1 else "ok",
        f"{before:.3g} {unit}",
        f"{after:.3g} {unit}",
        _percent(found[by]),
        f"+{budgets.latency:g} %",
        "; ".join(others),
    )


def _process(now: Speed, then: Speed, budgets: Budgets) -> Iterator[Check]:
    for name, value, before, unit, scale, budget in (
        ("peak memory", now.memory, then.memory, "MB", 1e6, budgets.memory),
        ("start-up", now.startup, then.startup, "x imports", 1.0, budgets.startup),
    ):
        found = max(value, 1e-9) / max(before, 1e-9)
        yield Check(
            name,
            _verdict(Ratio(found, found, found), budget),
            f"{before / scale:.2f} {unit}",
            f"{value / scale:.2f} {unit}",
            f"{100 * (found - 1):+.0f} %",
            f"+{budget:g} %",
        )


def _verdict(found: Ratio, budget: float) -> Verdict:
    """Worse by more than the budget, and surely worse at all; better likewise."""
    allowed = 1 + budget / 100
    if found.median > allowed and found.low > 1:
        return "regressed"
    return "better" if found.median < 1 / allowed and found.high < 1 else "ok"


def _percent(found: Ratio) -> str:
    median, low, high = (
        round(100 * (value - 1), 1) + 0.0 for value in (found.median, found.low, found.high)
    )
    return f"{median:+.1f} %, 95 % {low:+.1f} to {high:+.1f}"
