"""One figure held against the baseline's: what a check says, and when it is red."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trm_edge.evaluation.timing import Ratio

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
    "step graph",
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


def not_compared(name: str, why: str) -> Check:
    return Check(name, "not compared", "", "", "", "", why)


def regressed(checks: Sequence[Check]) -> list[Check]:
    """Those for which CI goes red."""
    return [check for check in checks if check.verdict == "regressed"]


def verdict_of(found: Ratio, budget: float) -> Verdict:
    """Worse by more than the budget in %, and surely worse at all; better likewise."""
    allowed = 1 + budget / 100
    if found.median > allowed and found.low > 1:
        return "regressed"
    return "better" if found.median < 1 / allowed and found.high < 1 else "ok"


def compared(name: str, found: Ratio, budget: float, then: str, now: str) -> Check:
    """A figure that may become so many % larger."""
    return Check(name, verdict_of(found, budget), then, now, percent(found), f"+{budget:g} %")


def off_one(*values: float) -> list[float]:
    """How far from 1, in % to one decimal, and never -0.0."""
    return [round(100 * (value - 1), 1) + 0.0 for value in values]


def percent(found: Ratio) -> str:
    """The change in words, with its interval where it has one."""
    median, low, high = off_one(found.median, found.low, found.high)
    interval = "" if found.low == found.high else f", 95 % {low:+.1f} to {high:+.1f}"
    return f"{median:+.1f} %{interval}"


def exactly(now: float, then: float) -> Ratio:
    """A change that nothing is uncertain about."""
    found = max(now, 1e-9) / max(then, 1e-9)
    return Ratio(found, found, found)
