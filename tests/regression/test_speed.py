"""Timing on the toy bundle: its bookkeeping, and no figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trm_edge.bundle import Bundle
from trm_edge.evaluation.footprint import Footprint
from trm_edge.regression import speed
from trm_edge.regression.baseline import Times
from trm_edge.regression.speed import MIN_REPEATS, measure_speed


@pytest.fixture
def bundle(toy_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """A toy bundle whose repeats and processes take no time."""

    def repeat(bundle: Bundle, target: str, vectors: object, slots: int) -> dict[str, float]:
        return {"step": float(slots), "matmul": 0.5}

    def footprint(bundle: Path, target: str) -> Footprint:
        return Footprint(
            seconds=np.array([1.0]),
            cpu=np.array([1.5, 1.2]),
            cpu_alone=np.array([0.6, 0.8]),
            peak=90_000_000,
            peak_alone=70_000_000,
        )

    monkeypatch.setattr(speed, "_repeat", repeat)
    monkeypatch.setattr(speed, "footprint", footprint)
    return Bundle.open(toy_bundle)


def test_every_repeat_is_kept(bundle: Bundle) -> None:
    measured = measure_speed(bundle, "cpu", repeats=4)
    assert measured.times["8"]["step"].tolist() == [8.0] * 4
    assert measured.times["1"]["matmul"].tolist() == [0.5] * 4
    assert measured.memory_bytes == 20e6
    assert measured.startup_ratio == pytest.approx(2.0)


def test_repeats_end_by_number_of_slots(bundle: Bundle) -> None:
    def is_decided(slots: str, times: Times) -> bool:
        return slots == "1" or len(times["step"]) == 9

    measured = measure_speed(bundle, "cpu", repeats=12, is_decided=is_decided)
    assert len(measured.times["1"]["step"]) == MIN_REPEATS
    assert len(measured.times["8"]["step"]) == 9
