"""A whole regression check: measure, compare, and measure again what seems slower."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from trm_edge.backends.base import Backend
from trm_edge.bundle import Bundle
from trm_edge.evaluation.baseline import Measured
from trm_edge.evaluation.budgets import Budgets
from trm_edge.evaluation.measure import ROUNDS, measure, measure_speed
from trm_edge.evaluation.parity import compare
from trm_edge.evaluation.regress import Check, compare_with_baseline, speed_checks
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.progress import Track, silent

AGAIN = 2  # more measurements that a slowdown has to survive


def backends_of(bundle: Bundle, target: str) -> Callable[[int], Backend]:
    """Fresh backends of a target, by threads."""
    return lambda threads: bundle.backend(target, threads=threads)


def measured_now(
    bundle: Bundle,
    target: str,
    *,
    rounds: int = ROUNDS,
    speed: bool = True,
    track: Track = silent,
) -> tuple[Measured, ParityVectors, str]:
    """What a baseline keeps, every answer in full, and what runs the target here."""
    make = backends_of(bundle, target)
    measured, vectors = measure(bundle, target, make, rounds=rounds, speed=speed, track=track)
    return measured, vectors, make(0).describe()


def broken_limits(bundle: Bundle, vectors: ParityVectors) -> list[str]:
    """What the bundle itself promises against float32 and does not keep."""
    reference = ParityVectors.from_arrays(bundle.parity_vectors())
    return compare(reference, vectors).broken(bundle.manifest.limits)


def run_checks(
    bundle: Bundle,
    measured: Measured,
    baseline: Measured,
    budgets: Budgets,
    vectors: ParityVectors,
    *,
    rounds: int = ROUNDS,
    track: Track = silent,
    say: Callable[[str], None] = lambda text: None,
) -> list[Check]:
    """All checks; one of speed is red only if every measurement of ``1 + AGAIN`` says so."""
    checks = compare_with_baseline(measured, baseline, budgets)
    timed = {check.name: check for check in speed_checks(measured, baseline, budgets)}
    for _ in range(AGAIN):
        slow = [check for check in timed.values() if check.verdict == "regressed"]
        if not slow:
            break
        say(f"{', '.join(check.name for check in slow)}: slower; measuring again")
        make = backends_of(bundle, measured.target)
        speed = measure_speed(bundle, measured.target, make, rounds, track=track)
        again = speed_checks(replace(measured, speeds=(speed,)), baseline, budgets)
        timed |= {check.name: check for check in again if timed[check.name].verdict == "regressed"}
    checks = [timed.get(check.name, check) for check in checks]
    return [*checks, _limits(broken_limits(bundle, vectors))]


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
