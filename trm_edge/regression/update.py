"""What changes when a baseline is written again: its figures before and after."""

from __future__ import annotations

from collections.abc import Iterator

from trm_edge.evaluation.machine import Machine
from trm_edge.regression.answer_checks import answer_checks
from trm_edge.regression.baseline import Measurement
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.check import Check, Unit
from trm_edge.regression.file_checks import file_checks
from trm_edge.regression.speed_checks import speed_checks


def baseline_changes(
    older: Measurement | None, newer: Measurement, budgets: Budgets
) -> list[Check]:
    """Compare a new baseline with the one that it replaces.

    Args:
        older: the baseline as it was; None if there was none.
        newer: the baseline as it will be.
        budgets: mark what got worse by more than they allow.

    Returns:
        A check for each figure. Where the two were asked other puzzles, answers stand side by side
        and are not compared.
    """
    if older is None:
        return _new_figures(newer)
    checks: list[Check] = []
    if _same_puzzles(older, newer):
        checks += answer_checks(newer.answers, older.answers, budgets)
    else:
        checks += _side_by_side(older, newer)
    checks += file_checks(newer, older, budgets)
    machine = Machine.current()
    before = older.speed_of(machine)
    now = newer.speed_of(machine)
    if before is not None and now is not None and now is not before:
        same_float32 = older.float32_sha256 == newer.float32_sha256
        checks += speed_checks(now, before, budgets, same_float32=same_float32)
    return checks


def _new_figures(measurement: Measurement) -> list[Check]:
    checks = []
    for check_id, (unit, value) in _figures(measurement).items():
        checks.append(Check(id=check_id, verdict="ok", unit=unit, now=value))
    return checks


def _same_puzzles(older: Measurement, newer: Measurement) -> bool:
    same_puzzles = older.answers.puzzles == newer.answers.puzzles
    return same_puzzles and older.answers.labels == newer.answers.labels


def _side_by_side(older: Measurement, newer: Measurement) -> Iterator[Check]:
    before = _figures(older)
    for check_id, (unit, value) in _figures(newer).items():
        if check_id.startswith("size."):
            continue
        yield Check(
            id=check_id,
            verdict="not_compared",
            unit=unit,
            before=before[check_id][1],
            now=value,
            reason="The puzzles or their known answers are others",
        )


def _figures(measurement: Measurement) -> dict[str, tuple[Unit, float]]:
    answers = measurement.answers
    figures: dict[str, tuple[Unit, float]] = {
        "puzzles": ("puzzles", len(answers)),
        f"{answers.figure}.fixed": ("share", float(answers.right_fixed.mean())),
        f"{answers.figure}.adaptive": ("share", float(answers.right_adaptive.mean())),
        "halting.steps": ("steps", float(answers.steps.mean())),
    }
    for name, size in measurement.sizes.items():
        figures[f"size.{name}"] = ("bytes", size)
    return figures
