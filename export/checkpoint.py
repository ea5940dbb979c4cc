"""Read the published trainer's checkpoints: weights, configuration and metadata; guess nothing.

A run leaves ``step_{N}`` (a bare ``state_dict``), ``all_config.yaml`` beside it when it logged
online, and the dataset's ``dataset.json`` elsewhere. A weight file loads without complaint under a
wrong position encoding, number of heads or cycles, so the configuration is required. What the
weights do show (D, V, ``mlp_t``, layers, identifiers) is checked against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm_edge.config import ModelConfig, swiglu_width
from trm_edge.errors import CheckpointError, ConfigError
from trm_edge.export.checkpoint_config import RunFiles, find_run_files, model_config
from trm_edge.export.model import TinyRecursiveModel
from trm_edge.export.state_dict import SENTINEL, StateDict, find_state_dict
from trm_edge.export.weight_file import check_kind, find_weights, read_weights
from trm_edge.files import hash_file
from trm_edge.printable import excerpt

_TABLE = "puzzle_emb.weights"
_PROBLEMS_SHOWN = 6
# Bounds on what a configuration may ask for. The published models have 916 positions, 28 passes
# of the network in a step, and 16 steps.
_MAX_POSITIONS = 1 << 16
_MAX_PASSES = 2048
_MAX_STEPS = 4096
_LARGEST_TABLE = 1 << 31


@dataclass(frozen=True)
class Checkpoint:
    """A trained model in float32, ready to be exported.

    Args:
        path: the weight file.
        sha256: of the weight file, in hexadecimal.
        config: the model's configuration.
        model: the network and heads with their weights, float32, in evaluation mode.
        puzzle_embeddings: the table (N, E) float32, or None where the model has none.
        averaged: whether the weights are averaged, by the file or the run's ``ema``; None where
            neither says.
        weight_type: element type of ``lm_head`` in the file, such as ``"bfloat16"``.
    """

    path: Path
    sha256: str
    config: ModelConfig
    model: TinyRecursiveModel
    puzzle_embeddings: NDArray[np.float32] | None
    averaged: bool | None
    weight_type: str

    @property
    def parameters(self) -> int:
        """Number of weights of the network and heads, without the puzzle-embedding table."""
        return sum(parameter.numel() for parameter in self.model.parameters())


def load_checkpoint(
    path: Path, config_path: Path | None = None, dataset_path: Path | None = None
) -> Checkpoint:
    """Load a checkpoint file, or the newest ``step_N`` of a folder.

    Args:
        path: the file or its folder.
        config_path: ``all_config.yaml``; by default the one beside the weights.
        dataset_path: ``dataset.json`` or the dataset's folder; by default beside the weights.

    Raises:
        CheckpointError: the file is missing, unsafe, or does not fit its configuration.
        ConfigError: the configuration is incomplete or contradictory.
    """
    weights_path = find_weights(path)
    check_kind(weights_path)
    files = find_run_files(weights_path, config_path, dataset_path)
    state_dict = find_state_dict(read_weights(weights_path), weights_path)
    state = state_dict.tensors
    config = model_config(files, _visible_settings(state))
    _check_bounds(config, state, files)
    check_against_weights(config, state, weights_path)
    model = TinyRecursiveModel(config).eval().requires_grad_(False)
    table = state.pop(_TABLE, None)
    model.load_state_dict({name: value.detach().float() for name, value in state.items()})
    puzzle_embeddings = None
    if table is not None:
        puzzle_embeddings = np.array(table.detach().float().numpy())  # a copy: the file may change
    return Checkpoint(
        path=weights_path,
        sha256=hash_file(weights_path),
        config=config,
        model=model,
        puzzle_embeddings=puzzle_embeddings,
        averaged=_averaged(state_dict, files),
        weight_type=str(state[SENTINEL].dtype).removeprefix("torch."),
    )


def _averaged(state_dict: StateDict, files: RunFiles) -> bool | None:
    if state_dict.averaged:
        return True
    ema = None if files.settings is None else files.settings.values.get("ema")
    return ema if isinstance(ema, bool) else None


def _visible_settings(state: Mapping[str, Tensor]) -> dict[str, int | bool]:
    """The settings that the weights show."""
    settings: dict[str, int | bool] = {}
    head = state[SENTINEL]
    if head.ndim == 2:
        settings["vocab_size"] = head.shape[0]
        settings["hidden_size"] = head.shape[1]
    layers = set()
    for name in state:
        if name.startswith("L_level.layers."):
            layers.add(name.split(".")[2])
    if layers:
        settings["L_layers"] = len(layers)
    settings["mlp_t"] = any(".mlp_t." in name for name in state)
    table = state.get(_TABLE)
    if table is not None and table.ndim == 2:
        settings["num_puzzle_identifiers"] = table.shape[0]
        settings["puzzle_emb_ndim"] = table.shape[1]
    return settings


def _check_bounds(config: ModelConfig, state: Mapping[str, Tensor], files: RunFiles) -> None:
    """Refuse sizes that the weights cannot have, before anything of that size is made.

    Raises:
        ConfigError: names the setting and its bound.
    """
    values = sum(value.numel() for value in state.values())
    bounds = (
        ("hidden_size", config.hidden_size, values),
        ("vocab_size", config.vocab_size, values),
        ("expansion", swiglu_width(config.hidden_size, config.expansion), values),
        ("L_layers", config.L_layers, len(state)),
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
                f"{files.config_path}: {name} gives {excerpt(value, 40)}, but at most {bound} "
                f"{limit}."
            )


def check_against_weights(config: ModelConfig, state: dict[str, Tensor], path: Path) -> None:
    """Compare every tensor's name and shape with what the configuration requires.

    Args:
        config: the model's configuration.
        state: tensors by name, without prefix; the puzzle-embedding table included.
        path: the weight file, for messages.

    Raises:
        CheckpointError: lists each contradiction with the actual and the expected.
    """
    with torch.device("meta"):
        expected_state = TinyRecursiveModel(config).state_dict()
    expected = {name: tuple(value.shape) for name, value in expected_state.items()}
    if config.puzzle_emb_ndim:
        expected[_TABLE] = (config.num_puzzle_identifiers, config.puzzle_emb_ndim)
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
        f"{config.puzzle_emb_ndim}, puzzle_emb_len {config.puzzle_emb_len}):\n  {shown}{more}\n"
        "Pass the all_config.yaml and dataset.json of the run that wrote it (--config, --dataset)."
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
                f"{_row_hint(name, config)}"
            )
    surplus = []
    for name, shape in actual.items():
        if name not in expected:
            surplus.append(f"{excerpt(name, 80)} {shape} has no place{_hint(name, config)}")
    return [*missing, *surplus, *misshapen]


def _row_hint(name: str, config: ModelConfig) -> str:
    """The setting that gives the puzzle-embedding table its rows."""
    if name != _TABLE:
        return ""
    return (
        f" (num_puzzle_identifiers is {config.num_puzzle_identifiers}; a dataset.json that was "
        "built again, or is of another dataset, may have another number)"
    )


def _hint(name: str, config: ModelConfig) -> str:
    """The setting that decides whether the model has a tensor of that name."""
    if ".self_attn." in name or ".mlp_t." in name:
        return f" (mlp_t is {config.mlp_t})"
    if name == _TABLE:
        return f" (puzzle_emb_ndim is {config.puzzle_emb_ndim})"
    if name.startswith("embed_pos"):
        return f" (pos_encodings is {config.pos_encodings})"
    if name.startswith("L_level.layers."):
        return f" (L_layers is {config.L_layers})"
    return ""
