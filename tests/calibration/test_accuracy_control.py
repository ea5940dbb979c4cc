from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from trm_edge.backends.fake import FAKE_CONFIG, FakeBackend
from trm_edge.calibration.accuracy_control import control_accuracy
from trm_edge.calibration.sensitivity import QuantizedRunner
from trm_edge.errors import CalibrationError
from trm_edge.evaluation.recording import labels_of, record_vectors
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.base import Entry

N = 300
HARM = {"good": 0, "bad": 20, "worst": 60}  # puzzles that each layer makes wrong


def entries(count: int, seed: int) -> list[Entry]:
    # No padding: as an answer, it would not count.
    tokens = np.random.default_rng(seed).integers(1, 11, (count, 81), dtype=np.int32)
    return [Entry(Puzzle(row), line, row) for line, row in enumerate(tokens, 1)]


class HarmfulRunner:
    """Fake runner: every quantized layer spoils a number of answers and moves the carries."""

    def __init__(self, harm: Mapping[str, int]) -> None:
        self.harm = harm
        self.calibration = SimpleNamespace(layers=dict.fromkeys(harm))
        self.calls: list[tuple[int, tuple[str, ...]]] = []

    def answers(
        self, puzzles: Sequence[Entry], layers: Mapping[str, object], **options: Any
    ) -> ParityVectors:
        self.calls.append((len(puzzles), tuple(layers)))
        vectors = record_vectors(
            FakeBackend(),
            None,
            [entry.puzzle for entry in puzzles],
            labels_of(puzzles, FAKE_CONFIG),
            carry_puzzles=4,
        )
        carry = vectors.carries["z_H"]
        carry[:] = 0
        carry[..., 0] = 1
        first = 0
        for layer in layers:
            spoiled = self.harm[layer]
            vectors.predictions[first : first + spoiled, :, 0] += 1
            first += spoiled
            carry[..., 1] += spoiled / 100
        return vectors


def control(runner: HarmfulRunner, max_drop: float, held_out: int = N) -> Any:
    puzzles = entries(held_out, 0)
    reference = runner.answers(puzzles, {})
    runner.calls.clear()
    return control_accuracy(
        cast(QuantizedRunner, runner), reference, puzzles, entries(8, 1), max_drop
    )


def test_no_layer_is_returned_if_the_limit_holds() -> None:
    outcome = control(HarmfulRunner({"good": 0, "fine": 0}), 1.0)
    assert outcome.returned == ()
    assert outcome.report.worst_drop == 0


def test_the_most_sensitive_layers_return_until_the_bound_holds() -> None:
    runner = HarmfulRunner(HARM)
    outcome = control(runner, 1.0)
    assert [layer.layer for layer in outcome.returned] == ["worst", "bad"]
    assert outcome.report.drop_bound <= 1.0
    ranked = {layers for count, layers in runner.calls if count == 8}
    assert ranked == {(), ("good",), ("bad",), ("worst",)}  # not on held-out puzzles
    judged = [layers for count, layers in runner.calls if count == N]
    assert judged == [("good", "bad", "worst"), ("good", "bad"), ("good",)]


def test_the_bound_decides_and_not_the_drop() -> None:
    """The drop is within the limit, but there are too few puzzles to show it."""
    outcome = control(HarmfulRunner({"good": 0, "bad": 2}), 1.0)
    assert [layer.layer for layer in outcome.returned] == ["bad"]


def test_a_limit_that_cannot_be_met_names_the_best_choice() -> None:
    with pytest.raises(
        CalibrationError,
        match=r"no choice of layers .* 300 held-out .* best is a drop of 6\.67, bound 9\..*: worst",
    ):
        control(HarmfulRunner({"bad": 20, "worst": 60}), 1.0)


def test_too_few_puzzles_to_show_a_small_drop_are_refused() -> None:
    runner = HarmfulRunner(HARM)
    with pytest.raises(CalibrationError, match=r"20 held-out puzzles cannot show .* 0\.5 points"):
        control(runner, 0.5, held_out=20)
    assert runner.calls == []
