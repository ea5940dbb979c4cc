"""When a check of speed is red: measurements are handed in, none is taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.logs import logged
from tests.regression.measurements import measured, speed
from trm_edge.bundle import Bundle
from trm_edge.evaluation.machine import Machine
from trm_edge.regression import run
from trm_edge.regression.baseline import Measurement, Speed
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.check import regressed
from trm_edge.regression.measure import float32_sha256


@pytest.fixture
def bundle(toy_bundle: Path) -> Bundle:
    return Bundle.open(toy_bundle)


@pytest.fixture
def baseline(bundle: Bundle) -> Measurement:
    here = replace(speed(), machine=Machine.current())
    return measured(speeds=(here,), float32_sha256=float32_sha256(bundle))


def red_after(
    found: list[Speed], bundle: Bundle, baseline: Measurement, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[str], list[str]]:
    """What is red where the measurements are these, and what was said meanwhile."""
    measurements: Iterator[Speed] = iter(found)
    monkeypatch.setattr(run, "measure_speed", lambda *_, **__: next(measurements))
    with logged() as said:
        checks = run.regress_speed(bundle, baseline, Budgets())
    assert next(measurements, None) is None
    return [check.name for check in regressed(checks)], said


def test_one_measurement_where_nothing_is_slower(
    bundle: Bundle, baseline: Measurement, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert red_after([speed(1)], bundle, baseline, monkeypatch) == ([], [])


def test_a_slowdown_has_to_show_every_time(
    bundle: Bundle, baseline: Measurement, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = [speed(seed, 1.2) for seed in (1, 2, 3)]
    found, said = red_after(slow, bundle, baseline, monkeypatch)
    assert found == ["a step of 1 slot", "a step of 8 slots"]
    assert said == ["info: a step of 1 slot, a step of 8 slots: slower; measuring again"] * 2
    found, said = red_after([*slow[:2], speed(3)], bundle, baseline, monkeypatch)
    assert (found, len(said)) == ([], 2)
    found, said = red_after([slow[0], speed(3)], bundle, baseline, monkeypatch)
    assert (found, len(said)) == ([], 1)


def test_a_check_that_was_not_slow_at_first_is_not_judged_again(
    bundle: Bundle, baseline: Measurement, monkeypatch: pytest.MonkeyPatch
) -> None:
    heavy = replace(speed(1), memory=40e6)
    both = replace(speed(2, 1.2), memory=40e6)
    assert red_after([heavy, both, both], bundle, baseline, monkeypatch)[0] == ["peak memory"]


def test_an_unknown_machine_is_not_timed(
    bundle: Bundle, baseline: Measurement, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = replace(baseline, speeds=(speed(),))
    assert red_after([], bundle, elsewhere, monkeypatch) == ([], [])
