"""One figure compared with the baseline's: its numbers and its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trm_edge.evaluation.timing import Ratio

Verdict = Literal["ok", "better", "regressed", "not_compared"]
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


@dataclass(frozen=True)
class Change:
    """Difference between the current figure and the baseline's.

    Args:
        value: current - baseline in the check's unit, or current / baseline - 1 if ``relative``.
        interval: 95 % interval of ``value``, low and high; None where the figures are exact.
        relative: the change is a share of the baseline's figure.
    """

    value: float
    interval: tuple[float, float] | None = None
    relative: bool = False

    @classmethod
    def of_ratio(cls, ratio: Ratio) -> Change:
        """Convert current / baseline to a relative change.

        Args:
            ratio: current / baseline with its 95 % interval; without one where both ends are equal.
        """
        interval = None
        if ratio.low != ratio.high:
            interval = (ratio.low - 1, ratio.high - 1)
        return cls(ratio.median - 1, interval, relative=True)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One figure compared with the baseline's.

    Args:
        id: stable identifier, such as ``latency.slots_1``; see :data:`CHECK_IDS`.
        verdict: ``better`` means better by more than the budget.
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


def regressed_if(condition: bool) -> Verdict:
    """Return the verdict of a check that either regressed or is ok.

    Args:
        condition: the check regressed.
    """
    return "regressed" if condition else "ok"


def verdict_of(ratio: Ratio, budget_percent: float) -> Verdict:
    """Judge a figure for which larger is worse.

    It regressed if it grew by more than the budget and its interval leaves out "no change"; it is
    better on the same terms in the other direction.

    Args:
        ratio: current / baseline with its 95 % interval.
        budget_percent: growth that is allowed, in percent.
    """
    allowed = 1 + budget_percent / 100
    if ratio.median > allowed and ratio.low > 1:
        return "regressed"
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
) -> Check:
    """Build the check of a figure that may grow by some percent.

    Args:
        check_id: identifier of the check.
        ratio: current / baseline with its 95 % interval.
        budget_percent: growth that is allowed, in percent.
        unit: of ``before`` and ``now``.
        before: the baseline's figure.
        now: the bundle's figure.
    """
    return Check(
        id=check_id,
        verdict=verdict_of(ratio, budget_percent),
        unit=unit,
        before=before,
        now=now,
        change=Change.of_ratio(ratio),
        budget=budget_percent / 100,
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


def percent(change: Change) -> str:
    """Format a change as percent, with its interval where it has one.

    Args:
        change: a relative change.

    >>> percent(Change(0.042, (0.031, 0.05), relative=True))
    '+4.2 %, 95 % +3.1 to +5.0'
    """
    text = f"{_signed_percent(change.value)} %"
    if change.interval is None:
        return text
    low, high = change.interval
    return f"{text}, 95 % {_signed_percent(low)} to {_signed_percent(high)}"


def _signed_percent(share: float) -> str:
    """Format a share as percent with one decimal; never ``-0.0``."""
    return f"{round(100 * share, 1) + 0.0:+.1f}"
