"""Read the published trainer's checkpoints: weights, configuration and metadata; guess nothing.

A run leaves ``step_{N}`` (a bare ``state_dict``), ``all_config.yaml`` beside it when it logged
online, and the dataset's ``dataset.json`` elsewhere. A weight file loads without complaint under a
wrong position encoding, number of heads or cycles, so the configuration is required. What the
weights do show (D, V, ``mlp_t``, layers, identifiers) is checked against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from trm_edge.config import ModelConfig
from trm_edge.errors import CheckpointError, ConfigError, MissingExtraError
from trm_edge.export.checkpoint_config import model_config
from trm_edge.export.hub_name import HubName, is_hub_name
from trm_edge.export.identifiers import find_identifiers
from trm_edge.export.model import RecursiveModel
from trm_edge.export.nano_trm import is_nano_trm, nano_trm_config, published_tensors
from trm_edge.export.run_files import RunFiles, check_dataset, find_run_files
from trm_edge.export.state_dict import SENTINEL, StateDict, find_state_dict
from trm_edge.export.weight_checks import (
    TABLE,
    check_against_weights,
    check_bounds,
    visible_settings,
)
from trm_edge.export.weight_choice import find_weights
from trm_edge.export.weight_file import check_kind, read_weights
from trm_edge.files import hash_file
from trm_edge.identifiers import RowNames
from trm_edge.verified_files import Stamp, stamp_of

if TYPE_CHECKING:
    from trm_edge.export.hub import HubCheckpoint

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
    check_bounds(run.config, state, run.settings_path)
    check_against_weights(run.config, state, weights_path, run.remedy)
    model = RecursiveModel(run.config).eval().requires_grad_(False)
    table = state.pop(TABLE, None)
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
    config = model_config(files, visible_settings(state_dict.tensors))
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
