from __future__ import annotations

import json

import pytest

from trm_edge.calibration.recipe import CalibrationRecipe, QType, activations_of
from trm_edge.errors import ConfigError

# A value that differs from the default, for every field.
CHANGED = CalibrationRecipe(
    puzzles=5,
    batch=3,
    carries="random",
    steps=(1, 4),
    passes=(0, 2),
    activations="per_layer",
    method="percentile",
    percentile=99.5,
    equalisation=(0.5,),
    compensated_rounding=False,
    bias_correction=True,
    float_layers=("mlp.gate_up_proj",),
    seed=7,
)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"puzzles": 0}, r"puzzles must be 1 or more, but got 0\."),
        ({"batch": -1}, r"batch must be 1 or more, but got -1\."),
        ({"seed": -1}, r"seed must lie in 0\.\..*, but got -1\."),
        ({"carries": "zero"}, "carries must be one of true, random, but got 'zero'"),
        ({"activations": "per_row"}, "activations must be one of per_token, .* got 'per_row'"),
        ({"method": "median"}, "max, percentile, entropy, mse, but got 'median'"),
        ({"steps": (0, 1)}, r"steps must be numbers from 1, but got \(0, 1\)"),
        ({"passes": (-1,)}, r"passes must be numbers from 0, but got \(-1,\)"),
        ({"percentile": 0.0}, r"percentile must lie in \(0, 100\], but got 0"),
        ({"percentile": float("nan")}, r"percentile must lie in \(0, 100\], but got nan"),
        ({"equalisation": (2.0,)}, r"equalisation must be one or more powers .* got \(2\.0,\)"),
        ({"equalisation": ()}, r"equalisation must be one or more powers .* got \(\)"),
        (
            {"activations": "per_token", "method": "mse"},
            "method must be 'max' with activations 'per_token', .* but got 'mse'",
        ),
        (
            {"percentile": 99.0},
            r"percentile must be 99\.99 with method 'max', .* but got 99\.0\. Choose the method",
        ),
        (
            {"activations": "per_call_site", "passes": (0,)},
            r"passes must be empty with activations 'per_call_site', .* but got \(0,\)",
        ),
    ],
)
def test_contradictions_and_values_out_of_range_are_refused(
    values: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        CalibrationRecipe(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("recipe", [CHANGED, CalibrationRecipe()])
def test_a_recipe_survives_json(recipe: CalibrationRecipe) -> None:
    values = json.loads(json.dumps(recipe.to_dict()))
    assert CalibrationRecipe.from_dict(values) == recipe


def test_unknown_and_missing_keys_are_refused() -> None:
    values = CHANGED.to_dict()
    with pytest.raises(ConfigError, match="unknown puzzle; the keys are puzzles, batch, "):
        CalibrationRecipe.from_dict(values | {"puzzle": 1})
    del values["seed"]
    with pytest.raises(ConfigError, match="the recipe lacks seed"):
        CalibrationRecipe.from_dict(values)


@pytest.mark.parametrize("qtype", ["int8", "fp8", "int4"])
def test_the_default_recipe_fits_its_type(qtype: QType) -> None:
    CalibrationRecipe.default(qtype).require_qtype(qtype)


@pytest.mark.parametrize("qtype", ["int8", "fp8"])
def test_the_static_recipe_fits_its_type(qtype: QType) -> None:
    CalibrationRecipe.static(qtype).require_qtype(qtype)


def test_recipes_that_do_not_fit_a_type_are_refused() -> None:
    with pytest.raises(ConfigError, match="max, mse or percentile for fp8, but got 'entropy'"):
        CalibrationRecipe(method="entropy").require_qtype("fp8")
    with pytest.raises(ConfigError, match="activations must be 'float' for int4"):
        CalibrationRecipe().require_qtype("int4")


def test_only_inputs_without_a_norm_are_rounded_per_token() -> None:
    assert activations_of("layers.0.mlp.down_proj", "per_token_products") == "per_token"
    assert activations_of("layers.0.self_attn.o_proj", "per_token_products") == "per_token"
    assert activations_of("layers.0.mlp.gate_up_proj", "per_token_products") == "per_layer"
    assert activations_of("layers.0.mlp.down_proj", "per_call_site") == "per_call_site"


def test_steps_and_passes_are_observed_where_both_are_named() -> None:
    assert CHANGED.observes(4, 2)
    assert not CHANGED.observes(4, 1)
    assert not CHANGED.observes(2, 2)
    assert CalibrationRecipe().observes(2, 1)
