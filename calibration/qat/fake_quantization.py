"""Fake quantization by ModelOpt: a network that computes as its quantized self and can be trained.

The quantizers match the pairs that ``qdq.py`` writes into the graph: weights by output channel or
block, inputs as the recipe says, nothing else. The scales of weights and tokens are computed from
their current values, so they follow the weights in training; those of INT8 weights keep integer
products from saturating, as in calibration. The gradient passes straight through.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trm_edge.calibration.grid import BLOCK, LARGEST
from trm_edge.calibration.ranges import RangeObserver
from trm_edge.calibration.recipe import (
    Activations,
    CalibrationRecipe,
    QType,
    activations_of,
)
from trm_edge.calibration.saturation import exact_scales, has_integer_products
from trm_edge.calibration.trajectories import linear_layers, run_trajectories
from trm_edge.errors import MissingExtraError
from trm_edge.export.model import RecursiveModel
from trm_edge.progress import Track, silent
from trm_edge.puzzle import Puzzle

Ranges = Mapping[str, Sequence[float]]  # by layer; one value, or one for each call site

_BITS: dict[QType, Any] = {"int8": 8, "fp8": (4, 3), "int4": 4}
_MATRICES = ("gate_up_proj", "qkv_proj", "down_proj", "o_proj")


def input_ranges(
    model: RecursiveModel,
    puzzle_embeddings: NDArray[np.float32] | None,
    puzzles: Sequence[Puzzle],
    qtype: QType,
    recipe: CalibrationRecipe,
    track: Track = silent,
) -> dict[str, tuple[float, ...]]:
    """Measure the ranges that ``calibrate`` would choose for this model.

    Args:
        model: the float32 model.
        puzzle_embeddings: table (N, E) float32; None where the model has none.
        puzzles: the first ``recipe.puzzles`` of them are used.
        qtype: the quantized type.
        recipe: rounding of inputs, and the method of their ranges.
        track: reports progress.

    Returns:
        Ranges by layer: one value, or one for each call site; layers without are absent.

    Raises:
        CalibrationError: there are no puzzles, the type does not support the method, or an input is
            not finite.
        ConfigError: the recipe observes only steps or passes that the model does not have.
        MissingExtraError: nvidia-modelopt is not installed.
    """
    layers = []
    for name in linear_layers(model):
        if recipe.activations_of(name) in ("per_layer", "per_call_site"):
            layers.append(name)
    if not layers:
        return {}

    def observe(recipe: CalibrationRecipe, largest: Ranges) -> dict[str, tuple[float, ...]]:
        observers = {}
        for name, amax in largest.items():
            observers[name] = RangeObserver(recipe, qtype, max(amax))
        selected = list(puzzles)[: recipe.puzzles]
        run_trajectories(
            model, puzzle_embeddings, selected, observers, recipe, track=track, description="ranges"
        )
        return {name: observer.amax() for name, observer in observers.items()}

    largest: dict[str, tuple[float, ...]] = dict.fromkeys(layers, (0.0,))
    if recipe.method == "mse":  # the only method that needs the largest magnitude
        largest = observe(replace(recipe, method="max", activations="per_layer"), largest)
    return observe(recipe, largest)


def insert_quantizers(
    model: RecursiveModel, qtype: QType, activations: Activations, ranges: Ranges
) -> None:
    """Put ModelOpt's quantizers around the matrices of the network, in place.

    Args:
        model: the model to change.
        qtype: the quantized type.
        activations: rounding of inputs.
        ranges: of :func:`input_ranges`, for layers that need them.

    Raises:
        MissingExtraError: nvidia-modelopt is not installed.
    """
    config = {"quant_cfg": _quantizers(qtype, activations), "algorithm": None}
    quantization = _modelopt()
    # It prints a count of the quantizers that it inserts.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for network in model.networks.values():
            quantization.quantize(network, config)
    for name, layer in linear_layers(model).items():
        if has_integer_products(qtype, activations_of(name, activations)):
            layer.register_forward_pre_hook(_set_weight_scales)
        if name in ranges:
            _set_range(layer, ranges[name][0])
            if len(ranges[name]) > 1:
                layer.register_forward_pre_hook(_range_of_call_site(ranges[name]))


def _quantizers(qtype: QType, activations: Activations) -> list[dict[str, Any]]:
    """ModelOpt's ``quant_cfg``; compare its FP8_PER_CHANNEL_PER_TOKEN_CFG."""
    # "dynamic" computes the scale in each call; a narrow range is -127..127, symmetric.
    common: dict[str, Any] = {"num_bits": _BITS[qtype], "narrow_range": True}
    dynamic = common | {"type": "dynamic"}
    weight = dynamic | {"axis": 0}
    if qtype == "int4":
        weight = dynamic | {"block_sizes": {-1: BLOCK}}
    per_token = dynamic | {"block_sizes": {-1: None}}
    entries: list[dict[str, Any]] = [
        {"quantizer_name": "*", "enable": False},
        {"quantizer_name": "*weight_quantizer", "cfg": weight},
    ]
    for matrix in _MATRICES:
        rounding = activations_of(matrix, activations)
        if rounding == "float":
            continue
        if has_integer_products(qtype, rounding):
            static = common | {"axis": 0}  # set before each call
            entries.append({"quantizer_name": f"*{matrix}.weight_quantizer", "cfg": static})
        cfg = common
        if rounding == "per_token":
            cfg = per_token
        entries.append({"quantizer_name": f"*{matrix}.input_quantizer", "cfg": cfg})
    return entries


def _set_weight_scales(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    weight = layer.get_parameter("weight").detach().float()
    amax = exact_scales(weight) * LARGEST["int8"]
    layer.get_submodule("weight_quantizer").amax = amax


def _set_range(layer: nn.Module, amax: float) -> None:
    layer.get_submodule("input_quantizer").amax = torch.tensor(amax)


def _range_of_call_site(
    ranges: Sequence[float],
) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    calls = 0

    def hook(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal calls
        _set_range(layer, ranges[calls % len(ranges)])
        calls += 1

    return hook


def _modelopt() -> Any:
    """``modelopt.torch.quantization``; importing it takes seconds."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about other libraries
            import modelopt.torch.quantization as quantization
    except ImportError as error:
        missing = error.name or "nvidia-modelopt"
        package = "nvidia-modelopt" if missing.startswith("modelopt") else missing
        raise MissingExtraError(package, "export", "Fine-tuning") from error
    return quantization
