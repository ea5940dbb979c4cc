"""``trm-edge.parity/1``: the JSON that ``trm-edge parity --json`` prints."""

from __future__ import annotations

from dataclasses import dataclass

from trm_edge.evaluation.carry import CarryParity
from trm_edge.evaluation.coverage import Coverage
from trm_edge.evaluation.floor_report import FloorReport
from trm_edge.evaluation.halting_parity import HaltingParity
from trm_edge.evaluation.held_out import HeldOutRun
from trm_edge.evaluation.limits import JudgedLimit
from trm_edge.evaluation.parity import BrokenLimit, ModeParity
from trm_edge.manifest import Limits
from trm_edge.records import Format

FORMAT = Format("trm-edge.parity", 1)


@dataclass(frozen=True)
class ParityResult:
    """Parity of one target of a bundle, with the limits it is held to.

    Args:
        bundle: path of the bundle.
        target: name of the target.
        precision: precision of the target as exported.
        engine: description of what ran the target.
        puzzles: number of held-out puzzles.
        labelled: True where every right answer is known; otherwise float32's answers count as
            right, and no limit is judged.
        random_tokens: the puzzles are random tokens: the figures show agreement, not accuracy.
        fixed: accuracy after the last step.
        adaptive: accuracy at the step where the halting rule stops.
        halting: when float32 and the target stop.
        carry: cosine of the carries by step.
        limits: the bundle's accuracy limits.
        broken: the limits that are exceeded beyond chance; empty where none is.
        verdicts: every limit, judged with its interval; empty where none is judged.
        floor: what float arithmetic alone changes on the same puzzles; None where the bundle does
            not record it.
        coverage: how many answers each confidence lets through, and how many of these are wrong;
            None where the right answers are not known.
    """

    bundle: str
    target: str
    precision: str
    engine: str
    puzzles: int
    labelled: bool
    random_tokens: bool
    fixed: ModeParity
    adaptive: ModeParity
    halting: HaltingParity
    carry: CarryParity
    limits: Limits
    broken: tuple[BrokenLimit, ...]
    verdicts: tuple[JudgedLimit, ...] = ()
    floor: FloorReport | None = None
    coverage: Coverage | None = None


def parity_result(bundle: str, run: HeldOutRun, limits: Limits) -> ParityResult:
    """Compare a run with float32 and judge it by the bundle's limits.

    Args:
        bundle: path of the bundle.
        run: the target's answers beside those of the float32 model.
        limits: the bundle's limits.
    """
    report = run.report()
    return ParityResult(
        bundle=bundle,
        target=run.target,
        precision=run.precision,
        engine=run.engine,
        puzzles=report.puzzles,
        labelled=report.labelled,
        random_tokens=run.random_tokens,
        fixed=report.fixed,
        adaptive=report.adaptive,
        halting=report.halting,
        carry=report.carry,
        limits=limits,
        broken=tuple(report.broken(limits)),
        verdicts=tuple(report.judge(limits)),
        floor=report.floor,
        coverage=report.coverage,
    )
