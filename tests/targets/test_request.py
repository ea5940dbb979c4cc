"""Rules for what goes together in an export request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.toys import BASE, write_run
from trm_edge.calibration.recipe import CalibrationRecipe
from trm_edge.errors import ConfigError
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.manifest import Limits
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.request import ExportRequest
from trm_edge.tasks import task_for

CPU = load_profile("cpu")
STATIC = replace(load_profile("l4"), int8_ranges="per_layer")
RequestWith = Callable[..., ExportRequest]


@pytest.fixture(scope="module")
def request_with(tmp_path_factory: pytest.TempPathFactory) -> RequestWith:
    """Makes an INT8 request for the CPU, with changes."""
    checkpoint = load_checkpoint(write_run(tmp_path_factory.mktemp("run"), BASE))
    defaults: dict[str, Any] = {
        "checkpoint": checkpoint,
        "task": task_for(checkpoint.config),
        "precision": "int8",
        "targets": (CPU,),
    }
    return lambda **changes: ExportRequest(**(defaults | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": ()}, "at least one target"),
        ({"targets": (CPU, CPU)}, "same name: cpu"),
        ({"precision": "fp8", "targets": (load_profile("a100"),)}, "a100"),
        ({"precision": "int4-weight-only", "targets": (load_profile("l4"),)}, "l4"),
        ({"precision": "fp16", "max_drop": 1.0}, r"max_drop \(--max-drop\): only with a quant"),
        ({"precision": "fp32", "qat_steps": 3}, r"qat_steps \(--qat\): only with a quantized"),
        ({"precision": "fp16", "sensitivity": True}, r"sensitivity \(--sensitivity\): only with"),
        ({"precision": "fp16", "calibration": Path("p.txt")}, r"calibration \(--calibration\)"),
        ({"precision": "fp16", "calibration_cache": Path("c")}, "calibration_cache"),
        ({"precision": "fp32", "recipe": CalibrationRecipe()}, r"recipe \(--recipe\).*got fp32"),
        ({"qat_steps": 3, "calibration_cache": Path("c.json")}, "a calibration of their own"),
        ({"qat_steps": -1}, "must be 0 or more, but got -1"),
        ({"max_drop": 101.0}, r"must lie in 0\.\.100 points, but got 101"),
        (
            {"precision": "int8-weight-only", "recipe": CalibrationRecipe()},
            "activations must be 'float', but got 'per_token_products'",
        ),
        ({"recipe": CalibrationRecipe(activations="float")}, "must not be 'float'"),
        (
            {"recipe": CalibrationRecipe(), "targets": (CPU, STATIC)},
            "'per_token_products', which scale inputs per token .* but l4 needs ranges .* "
            "Set activations to per_layer or per_call_site in the recipe",
        ),
        (
            {
                "precision": "fp8",
                "recipe": CalibrationRecipe(activations="per_token"),
                "targets": (load_profile("h100"),),
            },
            "'per_token', which scale inputs per token .* but h100 needs ranges",
        ),
    ],
)
def test_contradictions_are_refused(
    changes: dict[str, Any], message: str, request_with: RequestWith
) -> None:
    with pytest.raises(ConfigError, match=message):
        request_with(**changes)


def test_limits_follow_the_precision_and_the_drop(request_with: RequestWith) -> None:
    assert request_with(precision="fp16").accuracy_limits == Limits()
    int8 = request_with(precision="int8").accuracy_limits
    fp8 = request_with(precision="fp8").accuracy_limits
    assert fp8.min_halting_agreement < int8.min_halting_agreement
    assert int8.min_halting_agreement < Limits().min_halting_agreement
    controlled = request_with(precision="fp8", max_drop=0.25).accuracy_limits
    assert controlled == replace(fp8, max_drop=0.25)


def test_limits_of_the_request_come_first(request_with: RequestWith) -> None:
    limits = Limits(max_drop=100, min_halting_agreement=0)
    assert request_with(limits=limits, max_drop=0.25).accuracy_limits == limits


@pytest.mark.parametrize("activations", ["per_layer", "per_call_site"])
def test_static_ranges_suit_every_target(activations: Any, request_with: RequestWith) -> None:
    recipe = CalibrationRecipe(activations=activations)
    request_with(recipe=recipe, targets=(CPU, load_profile("l4")))
    request_with(recipe=CalibrationRecipe(activations="per_token"))


def test_one_target_with_static_ranges_makes_the_recipe_static(request_with: RequestWith) -> None:
    on_cpu = request_with().calibration_recipe("int8")
    assert on_cpu == CalibrationRecipe.default("int8")
    gpu = load_profile("l4")
    assert request_with(targets=(CPU, gpu)).calibration_recipe("int8") == on_cpu
    static = replace(gpu, int8_ranges="per_layer")
    both = request_with(targets=(CPU, static)).calibration_recipe("int8")
    assert both == CalibrationRecipe.static("int8")


def test_weight_only_precisions_leave_activations_in_float(request_with: RequestWith) -> None:
    request = request_with(precision="int4-weight-only")
    assert request.qtype == "int4"
    assert request.calibration_recipe("int4").activations == "float"
