"""Fake quantization by ModelOpt: a network that computes as its quantized self and can be trained.

The quantizers are what ``qdq.py`` writes into the graph: weights by output channel or block, inputs
as the recipe says, nothing else. ModelOpt takes the scales of weights and of tokens from what it
sees, so they follow the weights while these change. The gradient passes straight through.
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

from trm_edge.calibration.grid import BLOCK
from trm_edge.calibration.ranges import RangeObserver
from trm_edge.calibration.recipe import (
    Activations,
    CalibrationRecipe,
    QType,
    activations_of,
)
from trm_edge.calibration.trajectories import linear_layers, run_trajectories
from trm_edge.errors import MissingExtraError
from trm_edge.export.model import TinyRecursiveModel
from trm_edge.progress import Track, silent
from trm_edge.puzzle import Puzzle

Ranges = Mapping[str, Sequence[float]]  # by layer; one, or one for each call site

_BITS: dict[QType, Any] = {"int8": 8, "fp8": (4, 3), "int4": 4}


def input_ranges(
    model: TinyRecursiveModel,
    puzzle_embeddings: NDArray[np.float32] | None,
    puzzles: Sequence[Puzzle],
    qtype: QType,
    recipe: CalibrationRecipe,
    track: Track = silent,
) -> dict[str, tuple[float, ...]]:
    """The ranges that ``calibrate`` would take of this model; empty where none is taken in advance.

    Raises:
        CalibrationError: no puzzles, a method that the type does not have, or an input that is not
            finite.
        MissingExtraError: nvidia-modelopt is not installed.
    """
    wanted = [
        name
        for name in linear_layers(model)
        if recipe.activations_of(name) in ("per_layer", "per_call_site")
    ]
    if not wanted:
        return {}

    def observe(recipe: CalibrationRecipe, widest: Ranges) -> dict[str, tuple[float, ...]]:
        observers = {name: RangeObserver(recipe, qtype, max(amax)) for name, amax in widest.items()}
        chosen = list(puzzles)[: recipe.puzzles]
        run_trajectories(
            model, puzzle_embeddings, chosen, observers, recipe, track=track, description="ranges"
        )
        return {name: observer.amax() for name, observer in observers.items()}

    widest: dict[str, tuple[float, ...]] = dict.fromkeys(wanted, (0.0,))
    if recipe.method == "mse":  # the one method that has to know
        widest = observe(replace(recipe, method="max", activations="per_layer"), widest)
    return observe(recipe, widest)


def insert_quantizers(
    model: TinyRecursiveModel, qtype: QType, activations: Activations, ranges: Ranges
) -> None:
    """Put ModelOpt's quantizers around the matrices of the network, in place.

    Args:
        ranges: of the layers' inputs, where ``activations`` wants them.

    Raises:
        MissingExtraError: nvidia-modelopt is not installed.
    """
    config = {"quant_cfg": _quantizers(qtype, activations), "algorithm": None}
    quantization = _modelopt()
    # It counts aloud what it inserts.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantization.quantize(model.L_level, config)
    for name, layer in linear_layers(model).items():
        if name in ranges:
            _set_range(layer, ranges[name][0])
            if len(ranges[name]) > 1:
                layer.register_forward_pre_hook(_range_of_call_site(ranges[name]))


def _quantizers(qtype: QType, activations: Activations) -> list[dict[str, Any]]:
    """ModelOpt's ``quant_cfg``; compare its FP8_PER_CHANNEL_PER_TOKEN_CFG."""
    # "dynamic" takes the scale anew each time; a narrow range is -127..127, the same both ways.
    common: dict[str, Any] = {"num_bits": _BITS[qtype], "narrow_range": True}
    shared_scale = {"block_sizes": {-1: BLOCK}} if qtype == "int4" else {"axis": 0}
    entries: list[dict[str, Any]] = [
        {"quantizer_name": "*", "enable": False},
        {
            "quantizer_name": "*weight_quantizer",
            "cfg": common | {"type": "dynamic"} | shared_scale,
        },
    ]
    by_row = common | {"type": "dynamic", "block_sizes": {-1: None}}
    for kind_of_layer in ("gate_up_proj", "qkv_proj", "down_proj", "o_proj"):
        rounding = activations_of(kind_of_layer, activations)
        if rounding != "float":
            cfg = by_row if rounding == "per_token" else common
            entries.append({"quantizer_name": f"*{kind_of_layer}.input_quantizer", "cfg": cfg})
    return entries


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
