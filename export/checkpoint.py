"""Read the published trainer's checkpoints: weights, configuration and metadata; guess nothing.

A run leaves ``step_{N}`` (a bare ``state_dict``), ``all_config.yaml`` beside it when it logged
online, and the dataset's ``dataset.json`` elsewhere. A weight file loads without complaint under a
wrong position encoding, number of heads or cycles, so the configuration is required. What the
weights do show (D, V, ``mlp_t``, layers, identifiers) is checked against it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm_edge.config import ModelConfig, swiglu_width
from trm_edge.errors import CheckpointError, ConfigError, MissingExtraError
from trm_edge.export.checkpoint_config import (
    RunFiles,
    check_dataset,
    find_run_files,
    model_config,
)
from trm_edge.export.hub_name import HubName, is_hub_name
from trm_edge.export.identifiers import find_identifiers
from trm_edge.export.model import RecursiveModel
from trm_edge.export.nano_trm import is_nano_trm, nano_trm_config, published_tensors
from trm_edge.export.state_dict import SENTINEL, StateDict, find_state_dict
from trm_edge.export.weight_choice import find_weights
from trm_edge.export.weight_file import check_kind, read_weights
from trm_edge.files import hash_file
from trm_edge.identifiers import RowNames
from trm_edge.printable import excerpt
from trm_edge.verified_files import Stamp, stamp_of

if TYPE_CHECKING:
    from trm_edge.export.hub import HubCheckpoint

_TABLE = "puzzle_emb.weights"
_PROBLEMS_SHOWN = 6
# Bounds on what a configuration may ask for. The published models have 916 positions, 28 passes
# of the network in a step, and 16 steps.
_MAX_POSITIONS = 1 << 16
_MAX_PASSES = 2048
_MAX_STEPS = 4096
_LARGEST_TABLE = 1 << 31
_COPIED_BYTES = 64 << 20  # of a table; a larger one in float32 stays in the mapped file
_OWN_FILES = (
    "Pass the all_config.yaml and dataset.json of the run that wrote it (--config, --dataset)."
)
_AS_WRITTEN = "Pass the checkpoint as nano-trm wrote it."


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
        hub: where it was fetched from; None for a file of this machine.
        identifiers: the names of the table's rows, from the run's ``identifiers.json``; None where
            they are unknown, or there is only one row.
        table_rows: rows of the weight file's table; ``puzzle_embeddings`` has fewer where only
            those of some tasks were selected. 0: as many.
        stamp: of the weight file when it was read, where its table is not a copy.
    """

    path: Path
    sha256: str
    config: ModelConfig
    model: RecursiveModel
    puzzle_embeddings: NDArray[np.float32] | None
    averaged: bool | None
    weight_type: str
    hub: HubCheckpoint | None = None
    identifiers: Sequence[str] | None = None
    table_rows: int = 0
    stamp: Stamp = ()

    def require_unchanged(self) -> None:
        """Refuse a weight file that was changed since it was read.

        A large table is not copied into memory, but read from the file until the end of an export.

        Raises:
            CheckpointError: it was changed.
        """
        if self.stamp and stamp_of(self.path) != self.stamp:
            raise CheckpointError(
                f"{self.path} was changed while it was exported. Export it again when nothing "
                "writes to it any more."
            )

    @property
    def parameters(self) -> int:
        """Number of weights of the network and heads, without the puzzle-embedding table."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    @property
    def row_names(self) -> RowNames:
        """The names of the table's rows, which a task finds the rows of datasets by."""
        return RowNames(lambda: self.identifiers)


def load_checkpoint(
    path: Path, config_path: Path | None = None, dataset_path: Path | None = None
) -> Checkpoint:
    """Load a checkpoint file, the newest ``step_N`` of a folder, or one of a hub.

    Args:
        path: the file or its folder, or ``hf:OWNER/NAME[@REVISION][:FILE]``.
        config_path: ``all_config.yaml``; by default the one beside the weights.
        dataset_path: ``dataset.json`` or the dataset's folder; by default beside the weights.

    Raises:
        CheckpointError: the file is missing, unsafe, or does not fit its configuration.
        ConfigError: the configuration is incomplete or contradictory.
    """
    hub = None
    if is_hub_name(path):
        hub = _fetch(path)
        path = hub.path
    weights_path = find_weights(path)
    check_kind(weights_path)
    unread_stamp = stamp_of(weights_path)
    run = _read_run(weights_path, config_path, dataset_path)
    state = run.tensors
    _check_bounds(run.config, state, run.settings_path)
    check_against_weights(run.config, state, weights_path, run.remedy)
    model = RecursiveModel(run.config).eval().requires_grad_(False)
    table = state.pop(_TABLE, None)
    model.load_state_dict({name: value.detach().float() for name, value in state.items()})
    puzzle_embeddings = None
    identifiers = None
    stamp: Stamp = ()
    if table is not None:
        identifiers = find_identifiers(weights_path, dataset_path, len(table))
        puzzle_embeddings = table.detach().float().numpy()
        if puzzle_embeddings.nbytes > _COPIED_BYTES:
            stamp = unread_stamp
        else:
            puzzle_embeddings = np.array(puzzle_embeddings)  # a copy: the file may change
    return Checkpoint(
        path=weights_path,
        sha256=hash_file(weights_path),
        config=run.config,
        model=model,
        puzzle_embeddings=puzzle_embeddings,
        averaged=run.averaged,
        weight_type=str(state[SENTINEL].dtype).removeprefix("torch."),
        hub=hub,
        identifiers=identifiers,
        stamp=stamp,
    )


def _fetch(path: Path) -> HubCheckpoint:
    """Fetch a name on a hub; its package is loaded for such names alone."""
    try:
        from trm_edge.export.hub import fetch_checkpoint
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "huggingface_hub", "export", str(path)) from error
    return fetch_checkpoint(HubName.parse(path.as_posix()))


@dataclass(frozen=True)
class _Run:
    """Weights under the published names, and the configuration that came with them.

    Args:
        tensors: by name; the puzzle-embedding table included.
        config: the model's configuration.
        averaged: as of :class:`Checkpoint`.
        settings_path: the file that the configuration is from, for messages.
        remedy: what to do where weights and configuration do not fit each other.
    """

    tensors: dict[str, Tensor]
    config: ModelConfig
    averaged: bool | None
    settings_path: Path
    remedy: str


def _read_run(weights_path: Path, config_path: Path | None, dataset_path: Path | None) -> _Run:
    """Read the weights, and the configuration beside or inside of them."""
    content = read_weights(weights_path)
    if is_nano_trm(content):
        return _read_nano_trm(content, weights_path, config_path, dataset_path)
    files = find_run_files(weights_path, config_path, dataset_path)
    state_dict = find_state_dict(content, weights_path)
    config = model_config(files, _visible_settings(state_dict.tensors))
    return _Run(
        state_dict.tensors, config, _averaged(state_dict, files), files.config_path, _OWN_FILES
    )


def _read_nano_trm(
    content: object, weights_path: Path, config_path: Path | None, dataset_path: Path | None
) -> _Run:
    if config_path is not None:
        raise ConfigError(
            f"{weights_path} is a checkpoint of nano-trm, which holds its own configuration: leave "
            "out --config."
        )
    state_dict = find_state_dict(content, weights_path)
    config = nano_trm_config(content, state_dict.tensors, weights_path)
    check_dataset(config, weights_path, dataset_path)
    tensors = published_tensors(state_dict.tensors, weights_path)
    return _Run(tensors, config, state_dict.averaged, weights_path, _AS_WRITTEN)


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
    for network, key in (("L_level", "L_layers"), ("H_level", "H_layers")):
        layers = set()
        for name in state:
            if name.startswith(f"{network}.layers."):
                layers.add(name.split(".")[2])
        if layers:
            settings[key] = len(layers)
    settings["mlp_t"] = any(".mlp_t." in name for name in state)
    table = state.get(_TABLE)
    if table is not None and table.ndim == 2:
        settings["num_puzzle_identifiers"] = table.shape[0]
        settings["puzzle_emb_ndim"] = table.shape[1]
    return settings


def _check_bounds(config: ModelConfig, state: Mapping[str, Tensor], source: Path) -> None:
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
    if name == _TABLE:
        return f" (puzzle_emb_ndim is {config.puzzle_emb_ndim})"
    if name.startswith("embed_pos"):
        return f" (pos_encodings is {config.pos_encodings})"
    for network, key in (("L_level", "L_layers"), ("H_level", "H_layers")):
        if name.startswith(f"{network}.layers."):
            return f" ({key} is {getattr(config, key)})"
    if name.endswith("_init"):
        return f" (the architecture is {config.architecture})"
    return ""
