"""Run a regression check: measure, compare, and measure again what seems slower."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from trm_edge.bundle import Bundle
from trm_edge.errors import BundleError
from trm_edge.evaluation.floor_report import FloorReport
from trm_edge.evaluation.held_out import HeldOutRun
from trm_edge.evaluation.machine import Machine
from trm_edge.progress import Track, silent
from trm_edge.regression.answer_checks import answer_checks
from trm_edge.regression.baseline import Measurement
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.check import Change, Check, regressed, regressed_if
from trm_edge.regression.file_checks import file_checks
from trm_edge.regression.measure import float32_sha256, measure
from trm_edge.regression.speed import REPEATS, measure_speed
from trm_edge.regression.speed_checks import early_stop, speed_checks, unknown_machine

logger = logging.getLogger(__name__)

CONFIRMATIONS = 2  # further measurements that a slowdown must survive


@dataclass(frozen=True)
class Comparison:
    """A target compared with its baseline.

    Args:
        checks: every check, in the order in which people read them.
        floor: what float arithmetic alone changes beside what the target changes, both against
            float32; None where the bundle does not record it.
    """

    checks: tuple[Check, ...]
    floor: FloorReport | None


def compare_with_baseline(
    bundle: Bundle,
    baseline: Measurement,
    budgets: Budgets,
    *,
    speed: bool = True,
    repeats: int = REPEATS,
    track: Track = silent,
) -> Comparison:
    """Compare the baseline's target with what it was.

    A step graph that is the baseline's byte for byte has not changed: its answers can differ only
    by the machine and its software, and regress only beyond a 99.9 % interval.

    Args:
        bundle: the bundle.
        baseline: what it was.
        budgets: changes that are allowed.
        speed: also time steps and start processes, which takes longer than the answers.
        repeats: maximum number of timing repeats.
        track: reports progress.

    Returns:
        Every check, and the numerics floor.

    Raises:
        BundleError: the bundle has no such target, or its vectors are damaged.
        EngineError: the target has an engine that does not fit this machine.
        BackendError: the engine failed.
    """
    current, run = measure(bundle, baseline.target, track=track)
    same_graph = current.step_sha256 == baseline.step_sha256
    compared = answer_checks(current.answers, baseline.answers, budgets, same_graph=same_graph)
    checks = list(compared)
    checks += file_checks(current, baseline, budgets)
    if speed:
        checks += regress_speed(bundle, baseline, budgets, repeats=repeats, track=track)
    checks.append(_limits(broken_limits(bundle, run)))
    return Comparison(tuple(checks), run.report().floor)


def regress(
    bundle: Bundle,
    baseline: Measurement,
    budgets: Budgets,
    *,
    speed: bool = True,
    repeats: int = REPEATS,
    track: Track = silent,
) -> list[Check]:
    """Compare the baseline's target with what it was, by its checks alone.

    Args:
        bundle: the bundle.
        baseline: what it was.
        budgets: changes that are allowed.
        speed: also time steps and start processes, which takes longer than the answers.
        repeats: maximum number of timing repeats.
        track: reports progress.

    Returns:
        Every check, in the order in which people read them.

    Raises:
        BundleError: the bundle has no such target, or its vectors are damaged.
        EngineError: the target has an engine that does not fit this machine.
        BackendError: the engine failed.
    """
    comparison = compare_with_baseline(
        bundle, baseline, budgets, speed=speed, repeats=repeats, track=track
    )
    return list(comparison.checks)


def regress_speed(
    bundle: Bundle,
    baseline: Measurement,
    budgets: Budgets,
    *,
    repeats: int = REPEATS,
    track: Track = silent,
) -> list[Check]:
    """Compare speed; a check regressed only if ``1 + CONFIRMATIONS`` measurements all say so.

    Args:
        bundle: the bundle.
        baseline: what it was.
        budgets: changes that are allowed.
        repeats: maximum number of timing repeats in each measurement.
        track: reports progress.

    Returns:
        The checks of speed; a single one that was not compared on a machine that the baseline does
        not know.

    Raises:
        BundleError: the bundle has no such target, or its vectors are damaged.
        EngineError: the target has an engine that does not fit this machine.
        BackendError: the engine failed.
    """
    machine = Machine.current()
    before = baseline.speed_of(machine)
    if before is None:
        return [unknown_machine(baseline, machine)]
    same_float32 = float32_sha256(bundle) == baseline.float32_sha256
    is_decided = early_stop(before, budgets, same_float32=same_float32)

    def compare_speed() -> dict[str, Check]:
        current = measure_speed(
            bundle, baseline.target, repeats=repeats, is_decided=is_decided, track=track
        )
        compared = speed_checks(current, before, budgets, same_float32=same_float32)
        return {check.id: check for check in compared}

    checks = compare_speed()
    for _ in range(CONFIRMATIONS):
        slower = [check.id for check in regressed(list(checks.values()))]
        if not slower:
            break
        logger.info("%s regressed; measuring again", ", ".join(slower))
        confirmation = compare_speed()
        for check_id in slower:
            checks[check_id] = confirmation[check_id]
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
    """Measure a bundle for a new baseline.

    Args:
        bundle: the bundle.
        target: name of the target.
        older: the baseline that will be replaced, for its figures of other machines; None without
            one.
        speed: also time steps and start processes.
        repeats: number of timing repeats.
        track: reports progress.

    Raises:
        BundleError: the bundle breaks its own limits against float32, has no such target, or its
            vectors are damaged.
        EngineError: the target has an engine that does not fit this machine.
        BackendError: the engine failed.
    """
    current, run = measure(bundle, target, track=track)
    broken = broken_limits(bundle, run)
    if broken:
        raise BundleError(
            f"the baseline is not written: {bundle.path} breaks its own limits against float32 "
            f"({'; '.join(broken)}). Exporting with the same options gives the same graph, so "
            "export with a wider type (--fp16, or --fp32 for a CPU), fine-tune (--qat STEPS), or "
            "return layers to float until a limit holds (--max-drop POINTS). For details run "
            f"trm-edge parity {bundle.path} --target {target}."
        )
    if speed:
        current = current.with_speed(measure_speed(bundle, target, repeats=repeats, track=track))
    if older is not None:
        current = current.with_speeds_of(older)
    return current


def broken_limits(bundle: Bundle, run: HeldOutRun) -> list[str]:
    """Compare a run with the limits against float32 that the bundle itself promises to keep.

    What the puzzles cannot decide is not broken.

    Args:
        bundle: the bundle.
        run: one of its targets on the held-out puzzles.

    Returns:
        A sentence for each broken limit.
    """
    broken = run.report().broken(bundle.manifest.limits)
    return [limit.message for limit in broken]


def _limits(broken: Sequence[str]) -> Check:
    return Check(
        id="limits.float32",
        verdict=regressed_if(bool(broken)),
        unit="limits",
        before=0,
        now=len(broken),
        change=Change(len(broken)),
        budget=0,
        reason="; ".join(broken) or None,
    )
