"""A whole regression check: measure, compare, and measure again what seems slower."""

from __future__ import annotations

import logging

from trm_edge.bundle import Bundle
from trm_edge.errors import BundleError
from trm_edge.evaluation.machine import Machine
from trm_edge.evaluation.parity import compare
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.progress import Track, silent
from trm_edge.regression.answer_checks import answer_checks
from trm_edge.regression.baseline import Measurement
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.check import Check, regressed
from trm_edge.regression.file_checks import file_checks
from trm_edge.regression.measure import float32_sha256, measure
from trm_edge.regression.speed import REPEATS, measure_speed
from trm_edge.regression.speed_checks import decided_by, speed_checks, unknown_machine

logger = logging.getLogger(__name__)

AGAIN = 2  # more measurements that a slowdown has to survive


def regress(
    bundle: Bundle,
    baseline: Measurement,
    budgets: Budgets,
    *,
    speed: bool = True,
    repeats: int = REPEATS,
    track: Track = silent,
) -> list[Check]:
    """Every check of the baseline's target, in the order in which people read them.

    Args:
        speed: also time steps and start processes, which takes longer than the answers.
        sessions: of the timing, at most.
    """
    measured, vectors = measure(bundle, baseline.target, track=track)
    checks = [
        *answer_checks(measured.answers, baseline.answers, budgets),
        *file_checks(measured, baseline, budgets),
    ]
    if speed:
        checks += regress_speed(bundle, baseline, budgets, repeats=repeats, track=track)
    return [*checks, _limits(broken_limits(bundle, vectors))]


def regress_speed(
    bundle: Bundle,
    baseline: Measurement,
    budgets: Budgets,
    *,
    repeats: int = REPEATS,
    track: Track = silent,
) -> list[Check]:
    """Checks of speed; one is red only if every measurement of ``1 + AGAIN`` says so."""
    here = Machine.current()
    then = baseline.speed_of(here)
    if then is None:
        return [unknown_machine(baseline, here)]
    trusted = float32_sha256(bundle) == baseline.float32_sha256
    decided = decided_by(then, budgets, trusted=trusted)

    def once() -> dict[str, Check]:
        now = measure_speed(bundle, baseline.target, repeats=repeats, decided=decided, track=track)
        return {check.name: check for check in speed_checks(now, then, budgets, trusted=trusted)}

    checks = once()
    for _ in range(AGAIN):
        slow = [check.name for check in regressed(list(checks.values()))]
        if not slow:
            break
        logger.info(f"{', '.join(slow)}: slower; measuring again")
        again = once()
        checks |= {name: again[name] for name in slow}
    return list(checks.values())


def new_baseline(
    bundle: Bundle,
    target: str,
    older: Measurement | None,
    *,
    speed: bool = True,
    repeats: int = REPEATS,
    track: Track = silent,
) -> Measurement:
    """What the bundle is now, and what ``older`` knows of other machines.

    Raises:
        BundleError: the bundle breaks its own limits against float32.
    """
    measured, vectors = measure(bundle, target, track=track)
    broken = broken_limits(bundle, vectors)
    if broken:
        raise BundleError(
            f"the baseline is not written: {bundle.path} breaks its own limits against float32 "
            f"({'; '.join(broken)}). Export it again, or see what trm-edge parity says."
        )
    if speed:
        measured = measured.with_speed(measure_speed(bundle, target, repeats=repeats, track=track))
    return measured if older is None else measured.with_speeds_of(older)


def broken_limits(bundle: Bundle, vectors: ParityVectors) -> list[str]:
    """What the bundle itself promises against float32 and does not keep."""
    reference = bundle.parity()
    broken = compare(reference, vectors).broken(bundle.manifest.limits)
    return [limit.message for limit in broken]


def _limits(broken: list[str]) -> Check:
    return Check(
        "limits against float32",
        "regressed" if broken else "ok",
        "",
        "broken" if broken else "kept",
        "",
        "kept",
        "; ".join(broken),
    )
