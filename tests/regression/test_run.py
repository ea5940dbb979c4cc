"""Confirmation of slowdowns, on measurements that are handed in: nothing is measured here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.logs import logged
from tests.regression.measurements import ids_of, measured, speed
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
    local = replace(speed(), machine=Machine.current())
    return measured(speeds=(local,), float32_sha256=float32_sha256(bundle))


def red_after(
    speeds: list[Speed], bundle: Bundle, baseline: Measurement, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[str], list[str]]:
    """Checks that regressed if these are the measurements, and the lines logged meanwhile."""
    measurements: Iterator[Speed] = iter(speeds)
    monkeypatch.setattr(run, "measure_speed", lambda *_, **__: next(measurements))
    with logged() as lines:
        checks = run.regress_speed(bundle, baseline, Budgets())
    assert next(measurements, None) is None
    return ids_of(regressed(checks)), lines


def test_one_measurement_if_nothing_is_slower(
    bundle: Bundle, baseline: Measurement, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert red_after([speed(1)], bundle, baseline, monkeypatch) == ([], [])


def test_a_slowdown_has_to_show_every_time(
    bundle: Bundle, baseline: Measurement, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = [speed(seed, 1.2) for seed in (1, 2, 3)]
    red, lines = red_after(slow, bundle, baseline, monkeypatch)
    assert red == ["latency.slots_1", "latency.slots_8"]
    assert lines == ["info: latency.slots_1, latency.slots_8 regressed; measuring again"] * 2
    red, lines = red_after([*slow[:2], speed(3)], bundle, baseline, monkeypatch)
    assert (red, len(lines)) == ([], 2)
    red, lines = red_after([slow[0], speed(3)], bundle, baseline, monkeypatch)
    assert (red, len(lines)) == ([], 1)


def test_a_check_that_was_not_slow_at_first_is_not_judged_again(
    bundle: Bundle, baseline: Measurement, monkeypatch: pytest.MonkeyPatch
) -> None:
    heavy = replace(speed(1), memory_bytes=40e6)
    both = replace(speed(2, 1.2), memory_bytes=40e6)
    red, _ = red_after([heavy, both, both], bundle, baseline, monkeypatch)
    assert red == ["memory.peak"]


def test_an_unknown_machine_is_not_timed(
    bundle: Bundle, baseline: Measurement, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = replace(baseline, speeds=(speed(),))
    assert red_after([], bundle, elsewhere, monkeypatch) == ([], [])
