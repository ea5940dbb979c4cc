"""Checks of the answers against the baseline's, puzzle by puzzle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trm_edge.evaluation.resolution import (
    can_show_drop,
    can_show_share,
    count_text,
    puzzles_for_drop,
    puzzles_for_share,
    puzzles_to_tell,
)
from trm_edge.evaluation.statistics import paired_drop, wilson_interval
from trm_edge.evaluation.timing import Ratio
from trm_edge.regression.answers import Answers
from trm_edge.regression.blind_spot import puzzles_for
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.check import (
    STRICT,
    USUAL,
    Change,
    Check,
    Confidence,
    Verdict,
    relative_check,
)

_MIN_ERROR = 1e-6  # of a carry: two engines with less are equal
_SAME_ERROR = 1e-3  # of a carry, relative: a baseline's file keeps four digits


def answer_checks(
    current: Answers, baseline: Answers, budgets: Budgets, *, same_graph: bool = False
) -> Iterator[Check]:
    """Compare answers to the same puzzles; other puzzles or labels are a regression of their own.

    Args:
        current: the target's answers as they are.
        baseline: its answers as they were.
        budgets: changes that are allowed.
        same_graph: the step graph is the baseline's byte for byte, so only the machine or its
            software can have changed answers. A figure that is worse regressed if its 99.9 %
            interval leaves out "no change", and is open if its 95 % interval does; within it,
            nothing is wrong, however few the puzzles are.
    """
    if current.puzzles != baseline.puzzles:
        yield _different_data(
            "puzzles",
            "these are not the baseline's held-out puzzles",
            current,
            baseline,
        )
        return
    if current.labels != baseline.labels:
        yield _different_data(
            "labels",
            "the puzzles are the same, but their known answers are not",
            current,
            baseline,
        )
        return
    lengths = (len(baseline), len(baseline.error))
    if lengths != (len(current), len(current.error)):
        yield _different_data(
            "puzzles",
            "the baseline says that it is of the same puzzles, but has another number of answers",
            current,
            baseline,
        )
        return
    comparison = _Comparison(current, baseline, budgets, same_graph)
    yield comparison.exact_match("fixed", current.right_fixed, baseline.right_fixed)
    yield comparison.exact_match("adaptive", current.right_adaptive, baseline.right_adaptive)
    yield comparison.same_step()
    yield comparison.mean_steps()
    yield comparison.carry_error()


def _different_data(name: str, problem: str, current: Answers, baseline: Answers) -> Check:
    before = getattr(baseline, name)[:12]
    now = getattr(current, name)[:12]
    return Check(
        id=name,
        verdict="regressed",
        unit="puzzles",
        before=len(baseline),
        now=len(current),
        reason=(
            f"Answers cannot be compared: {problem} (sha256 {before} before, {now} now). "
            "If this is intended, write the baseline again with --update"
        ),
    )


@dataclass(frozen=True)
class _Comparison:
    """Answers to the same puzzles, and how they are judged."""

    current: Answers
    baseline: Answers
    budgets: Budgets
    same_graph: bool

    @property
    def confidence(self) -> Confidence:
        return STRICT if self.same_graph else USUAL

    def exact_match(
        self, mode: str, current: NDArray[np.bool_], baseline: NDArray[np.bool_]
    ) -> Check:
        """Compare the puzzles that are solved.

        Too few puzzles make a verdict impossible even where none flipped, unless the graph is the
        same, or its carries and halting steps are.
        """
        puzzles = len(current)
        lost = int((baseline & ~current).sum())
        gained = int((current & ~baseline).sum())
        low, high = paired_drop(lost, gained, puzzles, self.confidence.z)
        max_drop = self.budgets.max_drop
        verdict: Verdict = "ok"
        reasons = []
        if lost or gained:
            reasons.append(f"{lost} lost, {gained} gained of {puzzles}")
        if 100 * (lost - gained) / puzzles > max_drop:
            verdict = self._beyond(low, paired_drop(lost, gained, puzzles)[0])
        elif high < 0:
            verdict = "better"
        elif max_drop > 0 and not can_show_drop(puzzles, max_drop):
            unchanged = lost == gained == 0 and self._unchanged(halting=mode == "adaptive")
            verdict = "ok" if unchanged or self.same_graph else "inconclusive"
        if verdict == "inconclusive":
            needed = max(puzzles_for(max_drop), puzzles_for_drop(max_drop, lost + gained, puzzles))
            reasons.append(
                f"{puzzles:,} puzzles cannot show a drop of {max_drop:g} points, "
                f"{count_text(needed)}"
            )
        return Check(
            id=f"{self.current.figure}.{mode}",
            verdict=verdict,
            unit="share",
            before=float(baseline.mean()),
            now=float(current.mean()),
            change=Change((gained - lost) / puzzles, (-high, -low), level=self.confidence.level),
            budget=0.0 - max_drop / 100,
            reason="; ".join(reasons) or None,
        )

    def _beyond(self, low: float, usual_low: float) -> Verdict:
        """Judge a figure that is worse by more than its budget.

        Args:
            low: least change for the worse, by the interval that a regression must leave.
            usual_low: the same by the 95 % interval. The same graph is not suspected within it.
        """
        if low > 0:
            return "regressed"
        if self.same_graph and usual_low <= 0:
            return "ok"
        return "inconclusive"

    def same_step(self) -> Check:
        """Compare halting steps.

        The step at which a puzzle near the threshold halts depends on the last bits of its carry,
        so a change that makes nothing worse moves some of them, and so does another CPU. What
        tells a head that decides otherwise from that is float32: it agrees with it less often.
        """
        current = self.current.steps
        allowed = self.budgets.halting_agreement
        puzzles = len(current)
        same = int((current == self.baseline.steps).sum())
        share = same / puzzles
        low, high = wilson_interval(same, puzzles, self.confidence.z)
        verdict: Verdict = "ok"
        reason = None
        if share < allowed:
            verdict = self._moved_steps(certain=high < allowed)
            reason = self._float32_text()
            if verdict == "inconclusive":
                needed = puzzles_to_tell(puzzles, high - share, allowed - share)
                reason = f"{reason}; {puzzles:,} puzzles cannot tell, {count_text(needed)}"
        elif (
            allowed < 1
            and not can_show_share(puzzles, allowed)
            and not self._unchanged(halting=True)
        ):
            verdict = "inconclusive"
            needed = puzzles_for_share(allowed)
            reason = f"{puzzles:,} puzzles cannot show that many, {count_text(needed)}"
        return Check(
            id="halting.same_step",
            verdict=verdict,
            unit="share",
            before=1.0,
            now=share,
            change=Change(share - 1, (low - 1, high - 1), level=self.confidence.level),
            budget=round(allowed - 1, 9),
            reason=reason,
        )

    def _moved_steps(self, *, certain: bool) -> Verdict:
        """Judge halting steps of which more moved than are allowed, certainly or not."""
        if self.current.float32_steps is None:
            return "regressed" if certain else "inconclusive"
        fewer, more = self._float32_flips(self.current.float32_steps)
        puzzles = len(self.current)
        low, _ = paired_drop(fewer, more, puzzles, self.confidence.z)
        # Half of what may move: by chance alone, as many puzzles come to agree as cease to.
        moved_away = (fewer - more) / puzzles > (1 - self.budgets.halting_agreement) / 2
        if certain and low > 0:
            return "regressed"
        if moved_away:
            return self._beyond(0.0, paired_drop(fewer, more, puzzles)[0])
        return "ok"

    def _float32_flips(self, float32_steps: NDArray[np.int32]) -> tuple[int, int]:
        """Count the puzzles that ceased to halt where float32 does, and those that came to."""
        agreed = self.baseline.steps == float32_steps
        agrees = self.current.steps == float32_steps
        return int((agreed & ~agrees).sum()), int((agrees & ~agreed).sum())

    def _float32_text(self) -> str:
        float32_steps = self.current.float32_steps
        if float32_steps is None:
            return "Float32's halting steps are not known"
        before = float((self.baseline.steps == float32_steps).mean())
        now = float((self.current.steps == float32_steps).mean())
        return f"Where float32 halts: {100 * before:.1f} % before, {100 * now:.1f} % now"

    def mean_steps(self) -> Check:
        """Compare the mean number of steps, in pairs."""
        added = (self.current.steps - self.baseline.steps).astype(np.float64)
        error = float(added.std() / np.sqrt(len(added)))
        mean = float(self.baseline.steps.mean())

        def relative(z: float) -> float:
            return 1 + (float(added.mean()) + z * error) / mean

        check = relative_check(
            "halting.steps",
            self._ratio(relative),
            self.budgets.steps,
            unit="steps",
            before=mean,
            now=float(self.current.steps.mean()),
            level=self.confidence.level,
        )
        return self._unsuspected(check, relative(-USUAL.z) - 1)

    def carry_error(self) -> Check:
        """Compare in pairs: a changed weight moves every puzzle's error a little, a flip only few.

        The figures are geometric means over puzzles, so that their ratio is the mean of the pairs'.
        """
        log_before = np.log(np.maximum(self.baseline.error, _MIN_ERROR))
        log_current = np.log(np.maximum(self.current.error, _MIN_ERROR))
        logs = log_current - log_before
        error = float(logs.std() / np.sqrt(len(logs)))

        def relative(z: float) -> float:
            return float(np.exp(logs.mean() + z * error))

        check = relative_check(
            "carry.error",
            self._ratio(relative),
            self.budgets.fidelity,
            unit="cosine_distance",
            before=float(np.exp(log_before.mean())),
            now=float(np.exp(log_current.mean())),
            level=self.confidence.level,
        )
        return self._unsuspected(check, relative(-USUAL.z) - 1)

    def _ratio(self, relative: Callable[[float], float]) -> Ratio:
        """A ratio with its interval, from its value so many standard errors off."""
        z = self.confidence.z
        return Ratio(relative(0.0), relative(-z), relative(z))

    def _unsuspected(self, check: Check, usual_low: float) -> Check:
        """Do not leave open what the same graph explains: noise within the 95 % interval."""
        if check.verdict == "inconclusive" and self._beyond(0.0, usual_low) == "ok":
            return replace(check, verdict="ok", reason=None)
        return check

    def _unchanged(self, *, halting: bool) -> bool:
        """Tell whether nothing changed that could change an answer: the graph, or what shows it.

        Args:
            halting: the halting steps count, too; after all steps they do not.
        """
        if self.same_graph:
            return True
        same_steps = np.array_equal(self.current.steps, self.baseline.steps)
        if halting and not same_steps:
            return False
        errors = (self.current.error, self.baseline.error)
        return np.allclose(*errors, rtol=_SAME_ERROR, atol=_SAME_ERROR * _MIN_ERROR)
