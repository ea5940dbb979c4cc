from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.toys import BASE, VARIANTS, toy_model, toy_table, toy_tokens
from trm_edge.calibration.calibrate import _check_inputs, calibrate
from trm_edge.calibration.equalise import best_power, channel_factors
from trm_edge.calibration.grid import round_to_grid, round_weight, weight_scales
from trm_edge.calibration.ranges import RangeObserver
from trm_edge.calibration.recipe import CalibrationRecipe, QType, RangeMethod
from trm_edge.calibration.rounding import round_compensated
from trm_edge.calibration.statistics import InputStatistics
from trm_edge.calibration.trajectories import linear_layers, run_trajectories
from trm_edge.errors import CalibrationError, CalibrationWarning, ConfigError
from trm_edge.export.model import TinyRecursiveModel
from trm_edge.export.torch_backend import TorchBackend
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solution import Solution
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle

PUZZLES = [Puzzle(tokens) for tokens in toy_tokens(BASE, 6)]
RECIPE = CalibrationRecipe(puzzles=4, batch=2)


@pytest.mark.parametrize("power", [0.5, 1.0])
@pytest.mark.parametrize("name", ["mlp", "attention-rope", "three-blocks"])
def test_equalising_is_exact_algebra(name: str, power: float) -> None:
    """The equalised model, whose weights are not rounded, answers as the original does."""
    config = VARIANTS[name]
    model, table = toy_model(config), toy_table(config)
    recipe = replace(RECIPE, equalisation=(power,), compensated_rounding=False)
    ready = calibrate(model, table, PUZZLES, "int8", recipe)
    changed = {
        layer.rpartition(".")[2]
        for layer, module in linear_layers(ready.model).items()
        if not torch.equal(module.weight, linear_layers(model)[layer].weight)
    }
    assert changed == {"gate_up_proj", "down_proj"}
    for before, after in zip(solve(model, table), solve(ready.model, table), strict=True):
        assert before.steps == after.steps
        torch.testing.assert_close(before.q_halt, after.q_halt, atol=2e-3, rtol=1e-3)
    if power == 1.0:
        for layer, how in ready.layers.items():
            if layer.endswith("down_proj"):
                assert how.amax == pytest.approx((1.0,), abs=1e-3)  # every channel reaches 1


def solve(model: TinyRecursiveModel, table: NDArray[np.float32] | None) -> list[Solution]:
    with Solver(TorchBackend(model), table, batch=3) as solver:
        return list(solver.solve(PUZZLES, ordered=True))


@pytest.mark.parametrize("precision", ["int8", "fp8", "int4"])
def test_weights_end_on_their_grid(precision: QType) -> None:
    ready = calibrate(toy_model(BASE), toy_table(BASE), PUZZLES, precision, RECIPE)
    for how in ready.layers.values():
        scales = torch.from_numpy(how.weight_scales)
        torch.testing.assert_close(round_weight(how.weight, scales, precision), how.weight)


def test_compensated_rounding_keeps_the_output_better() -> None:
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(24, 24, generator=generator)
    inputs = torch.randn(500, 24, generator=generator) @ mixing
    weight = torch.randn(16, 24, generator=generator)
    scales = weight_scales(weight, "int8") * 16  # coarse, so that rounding matters
    gram = (inputs.T @ inputs).double() / len(inputs)

    def error(rounded: torch.Tensor) -> float:
        return float((inputs @ (rounded - weight).T).square().mean())

    compensated = round_compensated(weight, scales, gram, "int8")
    torch.testing.assert_close(round_to_grid(compensated, scales, "int8"), compensated)
    assert error(compensated) < 0.5 * error(round_to_grid(weight, scales, "int8"))


def test_compensated_rounding_without_inputs_is_plain_rounding() -> None:
    weight = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    scales = weight_scales(weight, "int8")
    torch.testing.assert_close(
        round_compensated(weight, scales, torch.zeros(6, 6, dtype=torch.float64), "int8"),
        round_to_grid(weight, scales, "int8"),
    )


def test_the_power_is_chosen_by_what_it_saves() -> None:
    """One channel a thousand times the others: left alone, the others round to nothing."""
    inputs = torch.randn(400, 8, generator=torch.Generator().manual_seed(0))
    inputs[:, 0] *= 1000
    seen = InputStatistics(torch.Generator().manual_seed(0))
    seen(inputs, 0)
    weight = torch.ones(4, 8)
    weight[:, 0] = 1e-3
    powers = (0.0, 0.5, 1.0)
    assert best_power(weight, seen, powers, "int8", "per_layer") == 1.0
    even = InputStatistics(torch.Generator().manual_seed(0))
    even(torch.ones(10, 8), 0)
    assert best_power(weight, even, powers, "int8", "per_layer") == 0.0


def test_statistics_of_inputs() -> None:
    seen = InputStatistics(torch.Generator().manual_seed(0))
    inputs = torch.randn(40, 50, 3, generator=torch.Generator().manual_seed(1))
    for part in (inputs[k : k + 10] for k in range(0, 40, 10)):
        seen(part, 0)
    torch.testing.assert_close(seen.amax, inputs.abs().amax((0, 1)))
    rows = inputs.reshape(-1, 3).double()
    torch.testing.assert_close(seen.gram, rows.T @ rows / len(rows), atol=0.2, rtol=0)
    assert seen.sample.shape == (4 * 16, 3)


def test_says_what_it_has_seen() -> None:
    ready = calibrate(toy_model(BASE), toy_table(BASE), PUZZLES, "int8", RECIPE)
    assert ready.coverage.puzzles == 4
    assert ready.coverage.steps == 4 * BASE.halt_max_steps
    assert ready.coverage.carries == ready.coverage.steps * BASE.network_passes


def test_observers_see_every_pass_on_true_carries() -> None:
    """Every layer is seen once a network pass, and the first step's inputs are not all there is."""
    model, table = toy_model(BASE), toy_table(BASE)
    seen: list[torch.Tensor] = []
    run_trajectories(
        model,
        table,
        PUZZLES[:2],
        {"layers.0.mlp.gate_up_proj": lambda h, site: seen.append(h.clone())},
        RECIPE,
    )
    assert len(seen) == BASE.halt_max_steps * BASE.network_passes
    again: list[torch.Tensor] = []
    handle = linear_layers(model)["layers.0.mlp.gate_up_proj"].register_forward_pre_hook(
        lambda module, inputs: again.append(inputs[0].clone())
    )
    rule = HaltingRule.from_config(BASE, "fixed")
    with Solver(TorchBackend(model), table, halting=rule, batch=2) as solver:
        list(solver.solve(PUZZLES[:2]))
    handle.remove()
    for one, other in zip(seen, again, strict=True):
        torch.testing.assert_close(one, other)
    assert not torch.allclose(seen[0], seen[-1])


def test_a_recipe_says_which_steps_and_passes_are_looked_at() -> None:
    seen: list[tuple[torch.Tensor, int]] = []
    recipe = replace(RECIPE, steps=(2,), passes=(0, 3))
    coverage = run_trajectories(
        toy_model(BASE),
        toy_table(BASE),
        PUZZLES[:4],
        {"layers.1.mlp.down_proj": lambda h, site: seen.append((h.clone(), site))},
        recipe,
    )
    assert [site for _, site in seen] == [0, 3, 0, 3]  # two batches of two
    assert (coverage.puzzles, coverage.steps, coverage.carries) == (4, 4, 8)


def test_a_recipe_that_looks_at_nothing() -> None:
    with pytest.raises(ConfigError, match=r"looks at steps \(99,\) .* has steps 1\.\."):
        calibrate(toy_model(BASE), toy_table(BASE), PUZZLES, "int8", replace(RECIPE, steps=(99,)))


def test_random_carries_are_others() -> None:
    true, random = (
        calibrate(
            toy_model(BASE),
            toy_table(BASE),
            PUZZLES,
            "int8",
            replace(RECIPE, activations="per_layer", carries=carries),
        )
        for carries in ("true", "random")
    )
    assert true.coverage == random.coverage
    name = "layers.0.mlp.gate_up_proj"
    assert true.layers[name].amax != random.layers[name].amax


def test_ranges_by_call_site_lie_within_the_layers() -> None:
    recipe = replace(RECIPE, activations="per_call_site", equalisation=(0.0,))
    sites = calibrate(toy_model(BASE), toy_table(BASE), PUZZLES, "int8", recipe)
    recipe = replace(recipe, activations="per_layer")
    layers = calibrate(toy_model(BASE), toy_table(BASE), PUZZLES, "int8", recipe)
    for name, how in sites.layers.items():
        assert len(how.amax) == BASE.network_passes
        assert max(how.amax) == pytest.approx(layers.layers[name].amax_at(0))
        assert len(set(how.amax)) > 1


def test_bias_correction_restores_the_mean_of_a_product() -> None:
    recipe = replace(RECIPE, bias_correction=True, compensated_rounding=False)
    ready = calibrate(toy_model(BASE), toy_table(BASE), PUZZLES, "fp8", recipe)
    assert all(how.bias is not None for how in ready.layers.values())
    plain = calibrate(toy_model(BASE), toy_table(BASE), PUZZLES, "fp8", RECIPE)
    assert all(how.bias is None for how in plain.layers.values())


def test_observers_are_gone_afterwards() -> None:
    model = toy_model(BASE)
    calibrate(model, toy_table(BASE), PUZZLES, "int8", RECIPE)
    assert not any(module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize("method", ["max", "percentile", "entropy", "mse"])
def test_every_method_gives_a_range_within_the_largest(method: RangeMethod) -> None:
    generator = torch.Generator().manual_seed(0)
    observer = RangeObserver(CalibrationRecipe(method=method), "int8", 6.0)
    largest = 0.0
    for _ in range(4):
        values = torch.randn(64, 256, generator=generator)
        observer(values, 0)
        largest = max(largest, float(values.abs().max()))
    (amax,) = observer.amax()
    if method == "max":
        assert amax == pytest.approx(largest)
    else:
        assert 0.3 * largest < amax < 1.01 * largest


def test_the_same_puzzles_give_the_same_calibration() -> None:
    first, second = (
        calibrate(toy_model(BASE), toy_table(BASE), PUZZLES, "fp8", RECIPE) for _ in range(2)
    )
    for name, how in first.layers.items():
        assert how.amax == second.layers[name].amax
        assert torch.equal(how.weight, second.layers[name].weight)
    for one, other in zip(first.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_ranges_by_modelopt_are_narrower() -> None:
    recipe = replace(RECIPE, activations="per_layer", equalisation=(0.0,))
    widest = calibrate(toy_model(BASE), toy_table(BASE), PUZZLES, "int8", recipe)
    recipe = replace(recipe, method="percentile", percentile=99.0)
    chosen = calibrate(toy_model(BASE), toy_table(BASE), PUZZLES, "int8", recipe)
    for layer, how in chosen.layers.items():
        assert 0 < how.amax_at(0) <= 1.01 * widest.layers[layer].amax_at(0)


def test_no_puzzles() -> None:
    with pytest.raises(CalibrationError, match="no calibration puzzles"):
        calibrate(toy_model(BASE), toy_table(BASE), [], "int8", RECIPE)


def test_an_input_that_is_always_zero_has_no_scale() -> None:
    model = toy_model(BASE)
    linear_layers(model)["layers.0.mlp.gate_up_proj"].weight.data.zero_()
    with pytest.raises(
        CalibrationError, match=r"input of layers\.0\.mlp\.down_proj is always zero"
    ):
        calibrate(model, toy_table(BASE), PUZZLES, "int8", RECIPE)


def test_an_input_that_never_changes_is_told() -> None:
    seen = InputStatistics(torch.Generator().manual_seed(0))
    seen(torch.tensor([[1.0, -2.0], [1.0, -2.0]]), 0)
    assert seen.constant
    with pytest.warns(CalibrationWarning, match=r"input of layers\.0\.mlp never changes"):
        _check_inputs({"layers.0.mlp": seen})
    seen(torch.tensor([[1.5, -2.0]]), 0)
    assert not seen.constant


def test_the_sample_of_inputs_is_bounded() -> None:
    seen = InputStatistics(torch.Generator().manual_seed(0))
    for number in range(300):
        seen(torch.full((4, 2), float(number + 1)), 0)
    assert len(seen.sample) == 4096
    assert seen.sample.max() == 300.0  # late ones have taken the place of early ones


def test_an_activation_that_is_not_finite() -> None:
    observer = RangeObserver(CalibrationRecipe(), "int8", 1.0)
    with pytest.raises(CalibrationError, match="became NaN or infinite"):
        observer(torch.tensor([1.0, float("inf")]), 0)


def test_a_channel_that_is_always_zero_keeps_its_factor() -> None:
    factors = channel_factors(torch.tensor([0.0, 4.0]), 0.5)
    torch.testing.assert_close(factors, torch.tensor([1.0, 2.0]))


def test_entropy_has_no_meaning_for_fp8() -> None:
    with pytest.raises(CalibrationError, match="entropy method counts integer levels"):
        RangeObserver(CalibrationRecipe(method="entropy"), "fp8", 1.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"puzzles": 0}, "puzzles and batch must be 1 or more, but got 0 and 32"),
        ({"method": "median"}, "max, percentile, entropy, mse, but got 'median'"),
        ({"percentile": 0.0}, r"percentile must lie in \(0, 100\], but got 0"),
        ({"equalisation": (2.0,)}, r"equalisation must name powers within 0\.\.1, but got"),
        ({"equalisation": ()}, r"equalisation must name powers within 0\.\.1, but got \(\)"),
    ],
)
def test_recipes_that_cannot_be(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CalibrationRecipe(**values)  # type: ignore[arg-type]
