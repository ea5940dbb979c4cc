"""Checks of a saved fine-tuning: every value has the kind and size of a fresh one's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from trm_edge.config import ModelConfig
from trm_edge.errors import CalibrationError

_KEYS = (
    "step",
    "labels",
    "ranges",
    "relative",
    "optimizer",
    "generator",
    "order",
    "slots",
    "carry",
)
_MOMENTS = ("exp_avg", "exp_avg_sq")  # of AdamW, one of each per weight


def check_inputs(
    saved: Mapping[str, Any], config: ModelConfig, puzzles: int, layers: frozenset[str]
) -> None:
    """Check what a fine-tuning is built from: labels and ranges.

    Args:
        saved: content of a state file.
        config: the model's configuration.
        puzzles: number of puzzles to learn from.
        layers: names of the layers whose inputs need ranges.

    Raises:
        CalibrationError: a value is missing or does not fit.
    """
    if not isinstance(saved, Mapping) or set(saved) != set(_KEYS):
        raise _unfit(f"it must hold {', '.join(_KEYS)}")
    labels = saved["labels"]
    _require_tensor("labels", labels, torch.zeros((puzzles, config.seq_len), dtype=torch.int32))
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < config.vocab_size:
        raise _unfit(f"labels must lie in 0..{config.vocab_size - 1}")
    ranges = saved["ranges"]
    if not isinstance(ranges, Mapping) or set(ranges) != layers:
        raise _unfit("ranges are not of this model's layers")
    for values in ranges.values():
        if not isinstance(values, (tuple, list)) or len(values) not in (1, config.network_passes):
            raise _unfit("ranges must be one value, or one for each pass of the network")
        if not all(_is_positive(value) for value in values):
            raise _unfit("ranges must be positive numbers")


def check_progress(saved: Mapping[str, Any], fresh: Mapping[str, Any], steps: int) -> None:
    """Compare a saved fine-tuning with a fresh one: types, shapes, and finite values.

    Args:
        saved: content of a state file.
        fresh: content of the same fine-tuning before its first step.
        steps: number of its steps.

    Raises:
        CalibrationError: a value does not fit.
    """
    step = saved["step"]
    if not isinstance(step, int) or isinstance(step, bool) or not 0 <= step <= steps:
        raise _unfit(f"step must lie in 0..{steps}")
    for key in ("relative", "slots", "carry"):
        _require_tensors(key, saved[key], fresh[key])
    _require_tensor("generator", saved["generator"], fresh["generator"])
    _check_order(saved["order"], len(saved["labels"]))
    _check_slots(saved, fresh)
    _check_optimizer(saved["optimizer"], fresh)


def _check_order(order: Any, puzzles: int) -> None:
    if not isinstance(order, Tensor) or order.dtype != torch.int64 or order.ndim != 1:
        raise _unfit("order must be a row of puzzle numbers")
    if len(order) > puzzles:
        raise _unfit("order holds more puzzles than there are")
    if len(order) and not 0 <= int(order.min()) <= int(order.max()) < puzzles:
        raise _unfit(f"order must hold numbers in 0..{puzzles - 1}")


def _check_slots(saved: Mapping[str, Any], fresh: Mapping[str, Any]) -> None:
    tokens, labels, identifiers, steps, _ = saved["slots"]
    largest = int(saved["labels"].max()) if saved["labels"].numel() else 0
    for values in (tokens, labels, identifiers, steps):
        if values.numel() and int(values.min()) < 0:
            raise _unfit("slots hold negative numbers")
    if labels.numel() and int(labels.max()) > largest:
        raise _unfit("slots hold labels of other puzzles")


def _check_optimizer(optimizer: Any, fresh: Mapping[str, Any]) -> None:
    expected = fresh["optimizer"]
    if not isinstance(optimizer, Mapping) or set(optimizer) != set(expected):
        raise _unfit("optimizer is not that of a fine-tuning")
    groups = optimizer["param_groups"]
    if not isinstance(groups, list) or len(groups) != len(expected["param_groups"]):
        raise _unfit("optimizer has other groups of weights")
    for group, fresh_group in zip(groups, expected["param_groups"], strict=True):
        if not isinstance(group, Mapping) or set(group) != set(fresh_group):
            raise _unfit("optimizer has other settings")
        for key, value in fresh_group.items():
            if key != "lr" and group[key] != value:
                raise _unfit(f"optimizer has another {key}")
        if not isinstance(group["lr"], float) or not math.isfinite(group["lr"]):
            raise _unfit("optimizer has no learning rate")
    _check_moments(optimizer["state"], expected["param_groups"], fresh["relative"])


def _check_moments(state: Any, groups: list[Any], relative: list[Tensor]) -> None:
    weights = [number for group in groups for number in group["params"]]
    if not isinstance(state, Mapping) or not set(state) <= set(weights):
        raise _unfit("optimizer has other weights")
    shapes = sorted(tuple(value.shape) for value in relative)
    for moments in state.values():
        if not isinstance(moments, Mapping) or set(moments) != {"step", *_MOMENTS}:
            raise _unfit("optimizer lacks moments")
        _require_tensor("optimizer", moments["step"], torch.zeros(()))
        for name in _MOMENTS:
            value = moments[name]
            if not isinstance(value, Tensor) or tuple(value.shape) not in shapes:
                raise _unfit("optimizer has moments of another shape")
            _require_tensor("optimizer", value, torch.empty(value.shape, device="meta"))
    if state and sorted(tuple(moments[_MOMENTS[0]].shape) for moments in state.values()) != shapes:
        raise _unfit("optimizer has moments of other weights")


def _require_tensors(name: str, values: Any, expected: list[Tensor]) -> None:
    if not isinstance(values, (list, tuple)) or len(values) != len(expected):
        raise _unfit(f"{name} must hold {len(expected)} tensors")
    for value, fresh in zip(values, expected, strict=True):
        _require_tensor(name, value, fresh)


def _require_tensor(name: str, value: Any, expected: Tensor) -> None:
    if (
        not isinstance(value, Tensor)
        or value.shape != expected.shape
        or value.dtype != expected.dtype
        or value.layout is not torch.strided
        or value.device.type != "cpu"
    ):
        raise _unfit(f"{name} must be {tuple(expected.shape)} {expected.dtype}")
    if value.is_floating_point() and not torch.isfinite(value).all():
        raise _unfit(f"{name} holds values that are not finite")


def _is_positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and 0 <= value < math.inf


def _unfit(problem: str) -> CalibrationError:
    return CalibrationError(
        f"the saved state does not fit this fine-tuning: {problem}. Delete it to start again."
    )
