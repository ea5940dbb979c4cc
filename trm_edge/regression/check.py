"""One figure compared with the baseline's: its numbers and its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from trm_edge.evaluation.decimals import decimals_apart, number
from trm_edge.evaluation.statistics import Z95, Z999
from trm_edge.evaluation.timing import Ratio

Verdict = Literal["ok", "better", "regressed", "inconclusive", "not_compared"]
Unit = Literal[
    "share",  # of puzzles, 0..1
    "steps",  # ACT (adaptive computation time) steps, mean over puzzles
    "cosine_distance",  # 1 - cosine similarity
    "bytes",
    "layers",
    "milliseconds",
    "times_matmul",  # of the reference workload's time
    "times_float32_step",
    "times_imports",  # of the CPU time of a process that only imports
    "puzzles",
    "limits",  # that are broken
    "flag",  # 1: yes, 0: no
]
# Every identifier that a check can have with the slots that are timed by default, in the order of
# the output.
CHECK_IDS = (
    "puzzles",
    "labels",
    "exact_match.fixed",
    "exact_match.adaptive",
    "agreement.fixed",
    "agreement.adaptive",
    "halting.same_step",
    "halting.steps",
    "carry.error",
    "graph.identical",
    "size.step_graph",
    "size.engine",
    "layers.float",
    "layers.engine",
    "speed",
    "latency.slots_1",
    "latency.slots_8",
    "memory.peak",
    "startup.cpu_time",
    "limits.float32",
)


class Confidence(NamedTuple):
    """How sure an interval is.

    Args:
        level: share of intervals that hold the true value, 0..1.
        z: standard normal quantile of such an interval, two-sided.
    """

    level: float
    z: float


USUAL = Confidence(0.95, Z95)
# Of a step graph that is the baseline's byte for byte: only the machine can have changed answers.
STRICT = Confidence(0.999, Z999)


@dataclass(frozen=True)
class Change:
    """Difference between the current figure and the baseline's.

    Args:
        value: current - baseline in the check's unit, or current / baseline - 1 if ``relative``.
        interval: interval of ``value``, low and high; None where the figures are exact.
        relative: the change is a share of the baseline's figure.
        level: of the interval, 0..1.
    """

    value: float
    interval: tuple[float, float] | None = None
    relative: bool = False
    level: float = USUAL.level

    @classmethod
    def of_ratio(cls, ratio: Ratio, level: float = USUAL.level) -> Change:
        """Convert current / baseline to a relative change.

        Args:
            ratio: current / baseline with its interval; without one where both ends are equal.
            level: of the interval, 0..1.
        """
        interval = None
        if ratio.low != ratio.high:
            interval = (ratio.low - 1, ratio.high - 1)
        return cls(ratio.median - 1, interval, relative=True, level=level)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One figure compared with the baseline's.

    Args:
        id: stable identifier, such as ``latency.slots_1``; see :data:`CHECK_IDS`.
        verdict: ``better`` means better by more than the budget, ``inconclusive`` that noise or
            too few puzzles forbid a verdict.
        unit: of ``before`` and ``now``, and of a change that is not relative; None where there is
            no figure.
        before: the baseline's figure.
        now: the bundle's figure.
        change: difference of the two; None where they cannot be compared.
        budget: the largest change for the worse that is allowed, in the change's unit; None where
            any is.
        reason: a sentence about the verdict where the numbers do not explain it.
    """

    id: str
    verdict: Verdict
    unit: Unit | None = None
    before: float | None = None
    now: float | None = None
    change: Change | None = None
    budget: float | None = None
    reason: str | None = None


def not_compared(
    check_id: str,
    reason: str,
    *,
    unit: Unit | None = None,
    before: float | None = None,
    now: float | None = None,
) -> Check:
    """Build a check of a figure that only one side has.

    Args:
        check_id: identifier of the check.
        reason: a sentence that says why there is no comparison.
        unit: of the figure, if one side has it.
        before: the baseline's figure, if it has one.
        now: the bundle's figure, if it has one.
    """
    return Check(
        id=check_id,
        verdict="not_compared",
        unit=unit,
        before=before,
        now=now,
        reason=reason,
    )


def regressed(checks: Sequence[Check]) -> list[Check]:
    """Select the checks that make a CI run fail.

    Args:
        checks: of one comparison.
    """
    return [check for check in checks if check.verdict == "regressed"]


def inconclusive(checks: Sequence[Check]) -> list[Check]:
    """Select the checks that noise or too few puzzles leave open.

    Args:
        checks: of one comparison.
    """
    return [check for check in checks if check.verdict == "inconclusive"]


def regressed_if(condition: bool) -> Verdict:
    """Return the verdict of a check that either regressed or is ok.

    Args:
        condition: the check regressed.
    """
    return "regressed" if condition else "ok"


def verdict_of(ratio: Ratio, budget_percent: float) -> Verdict:
    """Judge a figure for which larger is worse.

    It regressed if it grew by more than the budget and its interval leaves out "no change"; it is
    better on the same terms in the other direction. If it grew by more than the budget, but the
    interval holds "no change", noise forbids a verdict.

    Args:
        ratio: current / baseline with its interval.
        budget_percent: growth that is allowed, in percent.
    """
    allowed = 1 + budget_percent / 100
    if ratio.median > allowed:
        return "regressed" if ratio.low > 1 else "inconclusive"
    if ratio.median < 1 / allowed and ratio.high < 1:
        return "better"
    return "ok"


def relative_check(
    check_id: str,
    ratio: Ratio,
    budget_percent: float,
    *,
    unit: Unit,
    before: float,
    now: float,
    level: float = USUAL.level,
) -> Check:
    """Build the check of a figure that may grow by some percent.

    Args:
        check_id: identifier of the check.
        ratio: current / baseline with its interval.
        budget_percent: growth that is allowed, in percent.
        unit: of ``before`` and ``now``.
        before: the baseline's figure.
        now: the bundle's figure.
        level: of the interval, 0..1.
    """
    verdict = verdict_of(ratio, budget_percent)
    reason = None
    if verdict == "inconclusive":
        reason = "It grew by more than its budget, but its interval holds no change, too"
    return Check(
        id=check_id,
        verdict=verdict,
        unit=unit,
        before=before,
        now=now,
        change=Change.of_ratio(ratio, level),
        budget=budget_percent / 100,
        reason=reason,
    )


def exact_ratio(current: float, baseline: float) -> Ratio:
    """Divide two figures that have no uncertainty.

    Args:
        current: the bundle's figure, at least 0.
        baseline: the baseline's figure, at least 0.

    Returns:
        The ratio, its interval of zero width.
    """
    ratio = max(current, 1e-9) / max(baseline, 1e-9)
    return Ratio(ratio, ratio, ratio)


def percent(change: Change, budget: float | None = None) -> str:
    """Format a change as percent, with its interval where it has one.

    Args:
        change: a relative change.
        budget: the largest change that is allowed, as a share; it is kept apart from the change by
            as many decimals as that takes.

    >>> percent(Change(0.042, (0.031, 0.05), relative=True))
    '+4.2 %, 95 % +3.1 to +5.0'
    >>> percent(Change(0.0501, relative=True), budget=0.05)
    '+5.01 %'
    """
    return _with_interval(change, budget, "%", 1)


def points(change: Change, budget: float | None = None) -> str:
    """Format a difference of shares in points, with its interval where it has one.

    Args:
        change: a change of a share.
        budget: as in :func:`percent`.

    >>> points(Change(-0.0502), budget=-0.05)
    '-5.02 points'
    """
    return _with_interval(change, budget, "points", 2)


def _with_interval(change: Change, budget: float | None, unit: str, fewest: int) -> str:
    figures = [100 * change.value]
    if change.interval is not None:
        figures += [100 * end for end in change.interval]
    decimals = fewest
    if budget is not None:
        decimals = decimals_apart(figures, (100 * budget,), decimals)
        decimals = decimals_apart(figures[1:], (0.0,), decimals)  # does it leave out "no change"?
    value, *ends = (number(figure, decimals, signed=True) for figure in figures)
    text = f"{value} {unit}"
    if not ends:
        return text
    return f"{text}, {100 * change.level:g} % {' to '.join(ends)}"
