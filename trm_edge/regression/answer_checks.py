"""Checks of the answers against the baseline's, puzzle by puzzle."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trm_edge.evaluation.statistics import mcnemar_exact, paired_drop, wilson_interval
from trm_edge.evaluation.timing import Ratio
from trm_edge.regression.answers import Answers
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.check import Change, Check, Verdict, regressed_if, relative_check

_MIN_ERROR = 1e-6  # of a carry: two engines with less are equal
_Z = 1.96  # standard errors on either side of a 95 % interval


def answer_checks(current: Answers, baseline: Answers, budgets: Budgets) -> Iterator[Check]:
    """Compare answers to the same puzzles; other puzzles or labels are a regression of their own.

    Args:
        current: the target's answers as they are.
        baseline: its answers as they were.
        budgets: changes that are allowed.
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
    for mode in ("fixed", "adaptive"):
        right_now = getattr(current, f"right_{mode}")
        right_before = getattr(baseline, f"right_{mode}")
        yield _flips(f"{current.figure}.{mode}", right_now, right_before, budgets)
    yield _same_step(current.steps, baseline.steps, budgets)
    yield _mean_steps(current.steps, baseline.steps, budgets)
    yield _carry_error(current.error, baseline.error, budgets)


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


def _flips(
    check_id: str, current: NDArray[np.bool_], baseline: NDArray[np.bool_], budgets: Budgets
) -> Check:
    puzzles = len(current)
    lost = int((baseline & ~current).sum())
    gained = int((current & ~baseline).sum())
    low, high = paired_drop(lost, gained, puzzles)
    verdict: Verdict = "ok"
    if 100 * (lost - gained) / puzzles > budgets.max_drop and low > 0:
        verdict = "regressed"
    elif high < 0:
        verdict = "better"
    reason = None
    if lost or gained:
        p_value = mcnemar_exact(lost, gained)
        reason = f"{lost} lost, {gained} gained of {puzzles}, p {p_value:.3g}"
    return Check(
        id=check_id,
        verdict=verdict,
        unit="share",
        before=float(baseline.mean()),
        now=float(current.mean()),
        change=Change((gained - lost) / puzzles, (-high, -low)),
        budget=0.0 - budgets.max_drop / 100,
        reason=reason,
    )


def _same_step(current: NDArray[np.int32], baseline: NDArray[np.int32], budgets: Budgets) -> Check:
    """Compare halting steps; regressed if the whole interval is below the budget.

    The step at which a puzzle near the threshold halts depends on the last bits of its carry, so a
    change that makes no answer worse can still move some of them.
    """
    same = int((current == baseline).sum())
    share = same / len(current)
    low, high = wilson_interval(same, len(current))
    return Check(
        id="halting.same_step",
        verdict=regressed_if(high < budgets.halting_agreement),
        unit="share",
        before=1.0,
        now=share,
        change=Change(share - 1, (low - 1, high - 1)),
        budget=round(budgets.halting_agreement - 1, 9),
    )


def _mean_steps(current: NDArray[np.int32], baseline: NDArray[np.int32], budgets: Budgets) -> Check:
    added = (current - baseline).astype(np.float64)
    half_width = _Z * float(added.std()) / np.sqrt(len(added))
    mean = float(baseline.mean())
    mean_added = float(added.mean())
    ratio = Ratio(
        1 + mean_added / mean,
        1 + (mean_added - half_width) / mean,
        1 + (mean_added + half_width) / mean,
    )
    return relative_check(
        "halting.steps",
        ratio,
        budgets.steps,
        unit="steps",
        before=mean,
        now=float(current.mean()),
    )


def _carry_error(
    current: NDArray[np.float64], baseline: NDArray[np.float64], budgets: Budgets
) -> Check:
    """Compare in pairs: a changed weight moves every puzzle's error a little, a flip only a few.

    The figures are geometric means over puzzles, so that their ratio is the mean of the pairs'.
    """
    log_before = np.log(np.maximum(baseline, _MIN_ERROR))
    log_current = np.log(np.maximum(current, _MIN_ERROR))
    logs = log_current - log_before
    half_width = _Z * float(logs.std()) / np.sqrt(len(logs))
    mean = float(logs.mean())
    ratio = Ratio(
        float(np.exp(mean)),
        float(np.exp(mean - half_width)),
        float(np.exp(mean + half_width)),
    )
    return relative_check(
        "carry.error",
        ratio,
        budgets.fidelity,
        unit="cosine_distance",
        before=float(np.exp(log_before.mean())),
        now=float(np.exp(log_current.mean())),
    )
