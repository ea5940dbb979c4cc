from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from trm_edge.backends.fake import FAKE_CONFIG, FakeBackend
from trm_edge.calibration.accuracy_control import control_accuracy
from trm_edge.calibration.sensitivity import QuantizedRunner, rank_layers
from trm_edge.errors import CalibrationError
from trm_edge.evaluation.vectors import ParityVectors, labels_of, record_vectors
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.base import Entry

N = 300
HARM = {"good": 0, "bad": 20, "worst": 60}  # puzzles that each layer makes wrong


def entries(count: int, seed: int) -> list[Entry]:
    tokens = np.random.default_rng(seed).integers(0, 11, (count, 81), dtype=np.int32)
    return [Entry(Puzzle(row), line, row) for line, row in enumerate(tokens, 1)]


class HarmfulRunner:
    """Stands for a runner: every quantized layer spoils so many answers and some carries."""

    def __init__(self, harm: Mapping[str, int]) -> None:
        self.harm = harm
        self.calibration = SimpleNamespace(layers=dict.fromkeys(harm))
        self.asked: list[tuple[int, tuple[str, ...]]] = []

    def answers(
        self, puzzles: Sequence[Entry], layers: Mapping[str, object], **options: Any
    ) -> ParityVectors:
        self.asked.append((len(puzzles), tuple(layers)))
        vectors = record_vectors(
            FakeBackend(),
            None,
            [entry.puzzle for entry in puzzles],
            labels_of(puzzles, FAKE_CONFIG),
            carry_puzzles=4,
        )
        vectors.z_H[:] = 0
        vectors.z_H[..., 0] = 1
        first = 0
        for layer in layers:
            spoiled = self.harm[layer]
            vectors.predictions[first : first + spoiled, :, 0] += 1
            first += spoiled
            vectors.z_H[..., 1] += spoiled / 100
        return vectors


def control(runner: HarmfulRunner, max_drop: float, held_out: int = N) -> Any:
    puzzles = entries(held_out, 0)
    reference = runner.answers(puzzles, {})
    runner.asked.clear()
    return control_accuracy(
        cast(QuantizedRunner, runner), reference, puzzles, entries(8, 1), max_drop
    )


def test_nothing_is_returned_where_the_limit_holds() -> None:
    settled = control(HarmfulRunner({"good": 0, "fine": 0}), 1.0)
    assert settled.returned == ()
    assert settled.report.worst_drop == 0


def test_the_worst_go_back_until_the_bound_holds() -> None:
    runner = HarmfulRunner(HARM)
    settled = control(runner, 1.0)
    assert [layer.layer for layer in settled.returned] == ["worst", "bad"]
    assert settled.report.drop_bound <= 1.0
    ranked_on = {layers for count, layers in runner.asked if count == 8}
    assert ranked_on == {(), ("good",), ("bad",), ("worst",)}  # not on what is held out
    judged = [layers for count, layers in runner.asked if count == N]
    assert judged == [("good", "bad", "worst"), ("good", "bad"), ("good",)]


def test_the_bound_counts_and_not_the_drop() -> None:
    """No more lost than allowed, but too few puzzles to be sure of it."""
    settled = control(HarmfulRunner({"good": 0, "bad": 2}), 1.0)
    assert [layer.layer for layer in settled.returned] == ["bad"]


def test_a_limit_that_cannot_be_met_says_what_can() -> None:
    with pytest.raises(
        CalibrationError,
        match=r"no choice of layers .* 300 held-out .* best is a drop of 6\.67, bound 9\..*: worst",
    ):
        control(HarmfulRunner({"bad": 20, "worst": 60}), 1.0)


def test_too_few_puzzles_to_show_a_small_drop() -> None:
    runner = HarmfulRunner(HARM)
    with pytest.raises(CalibrationError, match=r"20 held-out puzzles cannot show .* 0\.5 points"):
        control(runner, 0.5, held_out=20)
    assert runner.asked == []


def test_layers_are_ranked_by_what_they_do_to_the_carry() -> None:
    ranking = rank_layers(cast(QuantizedRunner, HarmfulRunner(HARM)), entries(80, 2))
    assert [one.layer for one in ranking] == ["worst", "bad", "good"]
    assert ranking[0].last_step > ranking[1].last_step > ranking[2].last_step == 0
    assert (ranking[0].lost, ranking[0].gained) == (60, 0)
