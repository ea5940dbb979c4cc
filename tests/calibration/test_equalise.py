from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.toys import BASE, VARIANTS, toy_model, toy_table, toy_tokens
from trm_edge.calibration.calibrate import calibrate
from trm_edge.calibration.equalise import best_power, channel_factors
from trm_edge.calibration.recipe import CalibrationRecipe
from trm_edge.calibration.statistics import InputStatistics
from trm_edge.calibration.trajectories import linear_layers
from trm_edge.export.model import RecursiveModel
from trm_edge.export.torch_backend import TorchBackend
from trm_edge.loop.solution import Solution
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle

PUZZLES = [Puzzle(tokens) for tokens in toy_tokens(BASE, 6)]
RECIPE = CalibrationRecipe(puzzles=4, batch=2)


@pytest.mark.parametrize("power", [0.5, 1.0])
@pytest.mark.parametrize("name", ["mlp", "attention-rope", "three-blocks"])
def test_equalisation_does_not_change_the_answers(name: str, power: float) -> None:
    """The equalised model, whose weights are not rounded, answers as the original."""
    config = VARIANTS[name]
    model = toy_model(config)
    table = toy_table(config)
    recipe = replace(RECIPE, equalisation=(power,), compensated_rounding=False)
    calibration = calibrate(model, table, PUZZLES, "int8", recipe)
    changed = set()
    for layer, module in linear_layers(calibration.model).items():
        if not torch.equal(module.weight, linear_layers(model)[layer].weight):
            changed.add(layer.rpartition(".")[2])
    assert changed == {"gate_up_proj", "down_proj"}
    for before, after in zip(solve(model, table), solve(calibration.model, table), strict=True):
        assert before.steps == after.steps
        torch.testing.assert_close(before.q_halt, after.q_halt, atol=2e-3, rtol=1e-3)
    if power == 1.0:
        for layer, quantization in calibration.layers.items():
            if layer.endswith("down_proj"):
                # Every channel reaches 1.
                assert quantization.amax == pytest.approx((1.0,), abs=1e-3)


def solve(model: RecursiveModel, table: NDArray[np.float32] | None) -> list[Solution]:
    with Solver(TorchBackend(model), table, batch=3) as solver:
        return list(solver.solve(PUZZLES, ordered=True))


def test_the_power_with_the_smallest_error_is_chosen() -> None:
    """One channel is a thousand times the others, which round to zero unless equalised."""
    inputs = torch.randn(400, 8, generator=torch.Generator().manual_seed(0))
    inputs[:, 0] *= 1000
    statistics = InputStatistics(torch.Generator().manual_seed(0))
    statistics(inputs, 0)
    weight = torch.ones(4, 8)
    weight[:, 0] = 1e-3
    powers = (0.0, 0.5, 1.0)
    assert best_power(weight, statistics, powers, "int8", "per_layer") == 1.0
    even = InputStatistics(torch.Generator().manual_seed(0))
    even(torch.ones(10, 8), 0)
    assert best_power(weight, even, powers, "int8", "per_layer") == 0.0


def test_a_channel_that_is_always_zero_keeps_its_factor() -> None:
    factors = channel_factors(torch.tensor([0.0, 4.0]), 0.5)
    torch.testing.assert_close(factors, torch.tensor([1.0, 2.0]))
