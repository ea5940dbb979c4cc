from __future__ import annotations

from dataclasses import replace

import torch

from tests.toys import BASE, toy_model, toy_table, toy_tokens
from trm_edge.calibration.recipe import CalibrationRecipe
from trm_edge.calibration.trajectories import linear_layers, run_trajectories
from trm_edge.export.torch_backend import TorchBackend
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle

PUZZLES = [Puzzle(tokens) for tokens in toy_tokens(BASE, 6)]
RECIPE = CalibrationRecipe(puzzles=4, batch=2)


def test_observers_see_every_pass_on_true_carries() -> None:
    """Every layer is observed once per network pass, on inputs that change from step to step."""
    model = toy_model(BASE)
    table = toy_table(BASE)
    observed: list[torch.Tensor] = []
    run_trajectories(
        model,
        table,
        PUZZLES[:2],
        {"layers.0.mlp.gate_up_proj": lambda h, site: observed.append(h.clone())},
        RECIPE,
    )
    assert len(observed) == BASE.halt_max_steps * BASE.network_passes
    expected: list[torch.Tensor] = []
    handle = linear_layers(model)["layers.0.mlp.gate_up_proj"].register_forward_pre_hook(
        lambda module, inputs: expected.append(inputs[0].clone())
    )
    rule = HaltingRule.from_config(BASE, "fixed")
    with Solver(TorchBackend(model), table, halting=rule, batch=2) as solver:
        list(solver.solve(PUZZLES[:2]))
    handle.remove()
    for actual, inputs in zip(observed, expected, strict=True):
        torch.testing.assert_close(actual, inputs)
    assert not torch.allclose(observed[0], observed[-1])


def test_only_the_steps_and_passes_of_the_recipe_are_observed() -> None:
    observed: list[tuple[torch.Tensor, int]] = []
    recipe = replace(RECIPE, steps=(2,), passes=(0, 3))
    coverage = run_trajectories(
        toy_model(BASE),
        toy_table(BASE),
        PUZZLES[:4],
        {"layers.1.mlp.down_proj": lambda h, site: observed.append((h.clone(), site))},
        recipe,
    )
    assert [site for _, site in observed] == [0, 3, 0, 3]  # two batches of two
    assert (coverage.puzzles, coverage.steps, coverage.carries) == (4, 4, 8)
