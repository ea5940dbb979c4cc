"""Answers against the baseline's, puzzle by puzzle."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trm_edge.evaluation.statistics import mcnemar_exact, paired_drop, wilson_interval
from trm_edge.evaluation.timing import Ratio
from trm_edge.regression.baseline import Answers
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.check import Check, Verdict, compared, off_one

_LEAST_ERROR = 1e-6  # of a carry: below it two engines are one


def answer_checks(now: Answers, then: Answers, budgets: Budgets) -> Iterator[Check]:
    if now.puzzles != then.puzzles:
        yield _different("puzzles", "the held-out puzzles are others", then, now)
        return
    if now.labels != then.labels:
        yield _different(
            "labels", "the puzzles are the same, their known answers are not", then, now
        )
        return
    for mode in ("fixed", "adaptive"):
        yield _exact(mode, getattr(now, f"right_{mode}"), getattr(then, f"right_{mode}"), budgets)
    yield _agreement(now.steps, then.steps, budgets)
    yield _steps(now.steps, then.steps, budgets)
    yield _fidelity(now.error, then.error, budgets)


def _different(name: str, why: str, then: Answers, now: Answers) -> Check:
    return Check(
        name,
        "regressed",
        f"{len(then)} ({getattr(then, name)[:12]})",
        f"{len(now)} ({getattr(now, name)[:12]})",
        "",
        "",
        f"Answers cannot be compared: {why}. If that is meant, write the baseline again with "
        "--update",
    )


def _exact(mode: str, now: NDArray[np.bool_], then: NDArray[np.bool_], budgets: Budgets) -> Check:
    lost, gained = int((then & ~now).sum()), int((now & ~then).sum())
    low, high = (100 * bound for bound in paired_drop(lost, gained, len(now)))
    drop = 100 * (lost - gained) / len(now)
    verdict: Verdict = "ok"
    if drop > budgets.max_drop and low > 0:
        verdict = "regressed"
    elif high < 0:
        verdict = "better"
    return Check(
        f"exact match, {mode}",
        verdict,
        f"{100 * then.mean():.1f} %",
        f"{100 * now.mean():.1f} %",
        f"{0 - drop:+.2f} points, 95 % {-high:+.2f} to {-low:+.2f}",
        f"-{budgets.max_drop:g}",
        f"{lost} lost, {gained} gained of {len(now)}, p {mcnemar_exact(lost, gained):.3g}"
        if lost or gained
        else "",
    )


def _agreement(now: NDArray[np.int32], then: NDArray[np.int32], budgets: Budgets) -> Check:
    """Red if even the upper end of its interval is below what is allowed.

    Which step a puzzle near the threshold stops at hangs on the last bits of its carry, so a change
    that makes no answer worse can still move some of them.
    """
    same = int((now == then).sum())
    low, high = wilson_interval(same, len(now))
    share = same / len(now)
    points, least, most = off_one(share, low, high)
    return Check(
        "same halting step",
        "regressed" if high < budgets.halting_agreement else "ok",
        "100 %",
        f"{100 * share:.1f} %",
        f"{points:+.1f} points, 95 % {least:+.1f} to {most:+.1f}",
        f"at least {100 * budgets.halting_agreement:g} %",
    )


def _steps(now: NDArray[np.int32], then: NDArray[np.int32], budgets: Budgets) -> Check:
    more = (now - then).astype(np.float64)
    mean = float(then.mean())
    half = 1.96 * float(more.std()) / np.sqrt(len(more))
    found = Ratio(*(1 + (float(more.mean()) + shift) / mean for shift in (0.0, -half, half)))
    return compared("ACT steps", found, budgets.steps, f"{mean:.2f}", f"{now.mean():.2f}")


def _fidelity(now: NDArray[np.float64], then: NDArray[np.float64], budgets: Budgets) -> Check:
    """By puzzle: a single changed weight moves all of them a little, a flip only a few."""
    pairs = np.log(np.maximum(now, _LEAST_ERROR) / np.maximum(then, _LEAST_ERROR))
    half = 1.96 * float(pairs.std()) / np.sqrt(len(pairs))
    found = Ratio(*(float(np.exp(pairs.mean() + shift)) for shift in (0.0, -half, half)))
    before, after = f"{then.mean():.2e}", f"{now.mean():.2e}"
    return compared("error of the carry", found, budgets.fidelity, before, after)
