"""Warnings of an export whose simulated accuracy breaks a limit, each with a way out."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from trm_edge.evaluation.parity import ParityReport
from trm_edge.manifest import Limits
from trm_edge.profile import Precision, TargetProfile
from trm_edge.targets.simulation import TargetSimulator

logger = logging.getLogger(__name__)


def warn_where_limits_break(
    profiles: Sequence[TargetProfile],
    precision: Precision,
    simulator: TargetSimulator,
    limits: Limits,
) -> None:
    """Log a warning for targets that break a limit of their bundle, one for equal figures.

    Args:
        profiles: the targets that were exported.
        precision: of their graphs, a quantized one.
        simulator: has simulated them.
        limits: of the bundle.
    """
    groups: list[tuple[ParityReport, list[TargetProfile]]] = []
    for profile in profiles:
        report = simulator.report(profile)
        same = [members for measured, members in groups if measured is report]
        if same:
            same[0].append(profile)
        else:
            groups.append((report, [profile]))
    for report, members in groups:
        _warn(members, precision, report, limits)


def _warn(
    profiles: Sequence[TargetProfile],
    precision: Precision,
    report: ParityReport,
    limits: Limits,
) -> None:
    broken = report.broken(limits)
    if not broken:
        return
    names = ", ".join(profile.name for profile in profiles)
    figures = "; ".join(limit.message for limit in broken)
    logger.warning(
        "%s: %s (simulated on %d held-out puzzles). trm-edge parity will exit with 1. %s",
        names,
        figures,
        report.puzzles,
        way_out(profiles, precision, drops=report.worst_drop > limits.max_drop),
    )


def way_out(profiles: Sequence[TargetProfile], precision: Precision, *, drops: bool) -> str:
    """Name the exports that keep more of the float model, the smallest graph first.

    Args:
        profiles: targets with equal quantization.
        precision: of the graphs that break a limit.
        drops: True where they lose too many answers, False where they only stop at other steps.
    """
    ways = []
    if precision == "int8" and any(profile.int8_ranges == "per_layer" for profile in profiles):
        ways.append('set int8_ranges = "per_token_products" in the target\'s profile')
    if precision == "fp8" and _all_have(profiles, "int8"):
        ways.append("export with --int8")
    if precision == "int4-weight-only" and _all_have(profiles, "int8-weight-only"):
        ways.append("export with --int8 --weight-only")
    if drops:
        ways.append("return the layers that cost most to float with --max-drop POINTS")
    if _all_run_well(profiles, "fp16"):
        ways.append("export with --fp16")
    else:
        ways.append("export with --fp32")
    return f"Ways out: {'; '.join(ways)}."


def _all_have(profiles: Sequence[TargetProfile], precision: Precision) -> bool:
    return all(precision in profile.precisions for profile in profiles)


def _all_run_well(profiles: Sequence[TargetProfile], precision: Precision) -> bool:
    """True where every target has a precision, and not only to check correctness."""
    checked_only = any(precision in profile.correctness_only for profile in profiles)
    return _all_have(profiles, precision) and not checked_only
