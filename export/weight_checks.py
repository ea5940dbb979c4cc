"""What weights show of a model, and whether they fit a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from trm_edge.config import ModelConfig, swiglu_width
from trm_edge.errors import CheckpointError, ConfigError
from trm_edge.export.model import RecursiveModel
from trm_edge.export.state_dict import SENTINEL
from trm_edge.printable import excerpt

TABLE = "puzzle_emb.weights"
_PROBLEMS_SHOWN = 6
# Bounds on what a configuration may ask for. The published models have 916 positions, 28 passes
# of the network in a step, and 16 steps.
_MAX_POSITIONS = 1 << 16
_MAX_PASSES = 2048
_MAX_STEPS = 4096
_LARGEST_TABLE = 1 << 31


def visible_settings(state: Mapping[str, Tensor]) -> dict[str, int | bool]:
    """Read the settings that the weights show.

    Args:
        state: tensors by name, without prefix; the puzzle-embedding table included.

    Returns:
        Values by the name of the setting.
    """
    settings: dict[str, int | bool] = {}
    head = state[SENTINEL]
    if head.ndim == 2:
        settings["vocab_size"] = head.shape[0]
        settings["hidden_size"] = head.shape[1]
    for network, key in (("L_level", "L_layers"), ("H_level", "H_layers")):
        layers = set()
        for name in state:
            if name.startswith(f"{network}.layers."):
                layers.add(name.split(".")[2])
        if layers:
            settings[key] = len(layers)
    settings["mlp_t"] = any(".mlp_t." in name for name in state)
    table = state.get(TABLE)
    if table is not None and table.ndim == 2:
        settings["num_puzzle_identifiers"] = table.shape[0]
        settings["puzzle_emb_ndim"] = table.shape[1]
    return settings


def check_bounds(config: ModelConfig, state: Mapping[str, Tensor], source: Path) -> None:
    """Refuse sizes that the weights cannot have, before anything of that size is made.

    Args:
        config: the model's configuration.
        state: tensors by name, without prefix.
        source: file of the configuration, for messages.

    Raises:
        ConfigError: names the setting and its bound.
    """
    values = sum(value.numel() for value in state.values())
    bounds = (
        ("hidden_size", config.hidden_size, values),
        ("vocab_size", config.vocab_size, values),
        ("expansion", swiglu_width(config.hidden_size, config.expansion), values),
        ("L_layers", config.L_layers, len(state)),
        ("H_layers", config.H_layers, len(state)),
        ("num_heads", config.num_heads, values),
        ("puzzle_emb_ndim", config.puzzle_emb_ndim, values),
        ("num_puzzle_identifiers", config.num_puzzle_identifiers, _LARGEST_TABLE),
        ("puzzle_emb_len + seq_len", config.carry_len, _MAX_POSITIONS),
        ("H_cycles x (L_cycles + 1)", config.network_passes, _MAX_PASSES),
        ("halt_max_steps", config.halt_max_steps, _MAX_STEPS),
    )
    for name, value, bound in bounds:
        if value > bound:
            limit = "these weights allow" if bound in (values, len(state)) else "is supported"
            raise ConfigError(
                f"{source}: {name} gives {excerpt(value, 40)}, but at most {bound} {limit}."
            )


def check_against_weights(
    config: ModelConfig, state: Mapping[str, Tensor], path: Path, remedy: str
) -> None:
    """Compare every tensor's name and shape with what the configuration requires.

    Args:
        config: the model's configuration.
        state: tensors by name, without prefix; the puzzle-embedding table included.
        path: the weight file, for messages.
        remedy: a sentence on what to do.

    Raises:
        CheckpointError: lists each contradiction with the actual and the expected.
    """
    with torch.device("meta"):
        expected_state = RecursiveModel(config).state_dict()
    expected = {name: tuple(value.shape) for name, value in expected_state.items()}
    if config.puzzle_emb_ndim:
        expected[TABLE] = (config.num_puzzle_identifiers, config.puzzle_emb_ndim)
    actual = {name: tuple(value.shape) for name, value in state.items()}
    problems = _contradictions(config, expected, actual)
    if not problems:
        return
    shown = "\n  ".join(problems[:_PROBLEMS_SHOWN])
    hidden = len(problems) - _PROBLEMS_SHOWN
    more = f"\n  and {hidden} more" if hidden > 0 else ""
    raise CheckpointError(
        f"{path} does not fit its configuration (hidden_size {config.hidden_size}, vocab_size "
        f"{config.vocab_size}, seq_len {config.seq_len}, L_layers {config.L_layers}, mlp_t "
        f"{config.mlp_t}, pos_encodings {config.pos_encodings}, puzzle_emb_ndim "
        f"{config.puzzle_emb_ndim}, puzzle_emb_len {config.puzzle_emb_len}):\n"
        f"  {shown}{more}\n{remedy}"
    )


def _contradictions(
    config: ModelConfig, expected: dict[str, tuple[int, ...]], actual: dict[str, tuple[int, ...]]
) -> list[str]:
    missing = []
    misshapen = []
    for name, shape in expected.items():
        if name not in actual:
            missing.append(f"{name} is missing{_hint(name, config)}")
        elif actual[name] != shape:
            misshapen.append(
                f"{name} has shape {actual[name]}, but the configuration gives {shape}"
            )
    surplus = []
    for name, shape in actual.items():
        if name not in expected:
            surplus.append(f"{excerpt(name, 80)} {shape} has no place{_hint(name, config)}")
    return [*missing, *surplus, *misshapen]


def _hint(name: str, config: ModelConfig) -> str:
    """The setting that decides whether the model has a tensor of that name."""
    if ".self_attn." in name or ".mlp_t." in name:
        return f" (mlp_t is {config.mlp_t})"
    if name == TABLE:
        return f" (puzzle_emb_ndim is {config.puzzle_emb_ndim})"
    if name.startswith("embed_pos"):
        return f" (pos_encodings is {config.pos_encodings})"
    for network, key in (("L_level", "L_layers"), ("H_level", "H_layers")):
        if name.startswith(f"{network}.layers."):
            return f" ({key} is {getattr(config, key)})"
    if name.endswith("_init"):
        return f" (the architecture is {config.architecture})"
    return ""
