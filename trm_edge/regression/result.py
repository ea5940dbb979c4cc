"""Result of a comparison for programs: ``trm-edge.regress/1``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trm_edge.evaluation.machine import Machine
from trm_edge.records import Format
from trm_edge.regression.check import Check

FORMAT = Format("trm-edge.regress", 1)


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
        verdict: ``regressed`` if any check is.
        checks: every comparison, in the order of the table.
    """

    bundle: str
    target: str
    precision: str
    engine: str
    baseline: str
    machine: Machine
    verdict: Literal["ok", "regressed"]
    checks: tuple[Check, ...]
