"""Result of a comparison for programs: ``trm-edge.regress/1``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trm_edge.evaluation.floor_report import FloorReport
from trm_edge.evaluation.machine import Machine
from trm_edge.records import Format
from trm_edge.regression.check import Check, inconclusive, regressed

FORMAT = Format("trm-edge.regress", 1)
Overall = Literal["ok", "inconclusive", "regressed"]


@dataclass(frozen=True, kw_only=True)
class RegressionResult:
    """JSON of ``trm-edge regress`` but its format line.

    Args:
        bundle: path of the bundle, as it was passed.
        target: name of the target that was compared.
        precision: the target's precision, as the manifest has it.
        engine: description of what ran the target.
        baseline: path of the baseline, as it was passed.
        machine: the machine that measured.
        verdict: ``regressed`` if any check is, else ``inconclusive`` if any is, else ``ok``.
        checks: every comparison, in the order of the table.
        floor: what float arithmetic alone changes beside what the target changes, both against
            float32; None where the bundle does not record it.
    """

    bundle: str
    target: str
    precision: str
    engine: str
    baseline: str
    machine: Machine
    verdict: Overall
    checks: tuple[Check, ...]
    floor: FloorReport | None = None


def overall(checks: Sequence[Check]) -> Overall:
    """Sum up the verdicts of checks.

    Args:
        checks: of one comparison.
    """
    if regressed(checks):
        return "regressed"
    if inconclusive(checks):
        return "inconclusive"
    return "ok"
