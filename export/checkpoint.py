"""Read the published trainer's checkpoints: weights, configuration and metadata, nothing guessed.

A run leaves ``step_{N}`` (a bare ``state_dict``), ``all_config.yaml`` beside it when it logged
online, and the dataset's ``dataset.json`` elsewhere. A weight file loads without complaint under a
wrong position encoding, number of heads or cycles, so the configuration is required; what the
weights do show (D, V, ``mlp_t``, layers, identifiers) is checked against it.
"""

from __future__ import annotations

import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm_edge.config import ModelConfig
from trm_edge.errors import CheckpointError
from trm_edge.export.checkpoint_config import find_config, find_metadata, model_config
from trm_edge.export.model import TinyRecursiveModel
from trm_edge.files import hash_file

# What stands before a key, longest first: compiled or not, wrapped for several GPUs or not.
PREFIXES = tuple(
    f"{outer}{inner}"
    for outer in ("_orig_mod.module.", "module._orig_mod.", "_orig_mod.", "module.", "")
    for inner in ("model.inner.", "inner.", "")
)
_SENTINEL = "lm_head.weight"
_TABLE = "puzzle_emb.weights"
_FLOATS = (torch.float32, torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Checkpoint:
    """A trained model in float32, ready to be exported."""

    path: Path
    sha256: str
    config: ModelConfig
    model: TinyRecursiveModel
    puzzle_embeddings: NDArray[np.float32] | None  # (N, E)
    averaged: bool | None  # the run's `ema`; None where the configuration does not say
    weight_type: str  # of most weights in the file


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
    weights = _find_weights(path)
    settings = find_config(weights, config_path)
    metadata = find_metadata(weights, dataset_path)
    state = _read_state(weights)
    config = model_config(settings, metadata)
    check_against_weights(config, state, weights)
    model = TinyRecursiveModel(config).eval().requires_grad_(False)
    table = state.pop(_TABLE, None)
    model.load_state_dict({name: value.float() for name, value in state.items()})
    ema = settings.values.get("ema")
    return Checkpoint(
        path=weights,
        sha256=hash_file(weights),
        config=config,
        model=model,
        puzzle_embeddings=None if table is None else table.float().numpy(),
        averaged=ema if isinstance(ema, bool) else None,
        weight_type=str(state[_SENTINEL].dtype).removeprefix("torch."),
    )


def _find_weights(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise CheckpointError(f"no checkpoint at {path}. Pass a step_N file or its folder.")
    steps = sorted(
        (int(file.name.removeprefix("step_")), file)
        for file in path.glob("step_*")
        if file.name.removeprefix("step_").isdigit() and file.is_file()
    )
    if not steps:
        names = ", ".join(sorted(entry.name for entry in path.iterdir())[:8]) or "nothing"
        raise CheckpointError(
            f"no step_N file in {path}, which holds {names}. Pass the weight file itself."
        )
    return steps[-1][1]


def _read_state(path: Path) -> dict[str, Tensor]:
    """The state_dict in float, without its prefix, never executing what the file holds."""
    try:
        with warnings.catch_warnings():  # about files that are refused below
            warnings.simplefilter("ignore", UserWarning)
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"{path} cannot be loaded safely as a state_dict: {reason}. It must hold tensors "
            "alone, as torch.save(model.state_dict(), ...) writes them; a file that needs code "
            "to be run is refused."
        ) from error
    if not isinstance(loaded, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in loaded.items()
    ):
        raise CheckpointError(
            f"{path} holds {_kind(loaded)}, but a bare state_dict (name to tensor) was expected. "
            "Save the model's state_dict() alone."
        )
    state = _strip_prefix(loaded, path)
    for name, value in state.items():
        if value.dtype not in _FLOATS:
            raise CheckpointError(
                f"{path}: {name} has type {value.dtype}, but float32, bfloat16 or float16 was "
                "expected."
            )
        if not torch.isfinite(value).all():
            bad = int((~torch.isfinite(value)).sum())
            raise CheckpointError(
                f"{path}: {name} holds {bad} values that are NaN or infinite. The run diverged; "
                "take an earlier checkpoint."
            )
    return state


def _strip_prefix(loaded: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    for prefix in PREFIXES:
        if prefix + _SENTINEL in loaded:
            stray = sorted(key for key in loaded if not key.startswith(prefix))
            if stray:
                raise CheckpointError(
                    f"{path}: keys carry the prefix {prefix!r}, but these do not: "
                    f"{', '.join(stray[:5])}."
                )
            return {key.removeprefix(prefix): value for key, value in loaded.items()}
    raise CheckpointError(
        f"{path} is no Tiny Recursive Model: there is no {_SENTINEL} under any known prefix "
        f"({', '.join(repr(p) for p in ('_orig_mod.model.inner.', 'model.inner.', 'inner.', ''))}"
        f" ...). Its keys start with: {', '.join(sorted(loaded)[:5]) or 'nothing'}."
    )


def check_against_weights(config: ModelConfig, state: dict[str, Tensor], path: Path) -> None:
    """Hold every tensor's name and shape against what the configuration asks for.

    Raises:
        CheckpointError: lists each contradiction with what was found and expected.
    """
    with torch.device("meta"):
        expected = {
            name: tuple(value.shape)
            for name, value in TinyRecursiveModel(config).state_dict().items()
        }
    if config.puzzle_emb_ndim:
        expected[_TABLE] = (config.num_puzzle_identifiers, config.puzzle_emb_ndim)
    problems = [
        f"{name} is missing" + _hint(name, config) for name in expected if name not in state
    ]
    problems += [
        f"{name} {tuple(value.shape)} has no place" + _hint(name, config)
        for name, value in state.items()
        if name not in expected
    ]
    problems += [
        f"{name} has shape {tuple(state[name].shape)}, but the configuration gives {shape}"
        for name, shape in expected.items()
        if name in state and tuple(state[name].shape) != shape
    ]
    if problems:
        shown = "\n  ".join(problems[:6])
        more = f"\n  and {len(problems) - 6} more" if len(problems) > 6 else ""
        raise CheckpointError(
            f"{path} does not fit its configuration (hidden_size {config.hidden_size}, vocab_size "
            f"{config.vocab_size}, seq_len {config.seq_len}, L_layers {config.L_layers}, mlp_t "
            f"{config.mlp_t}, pos_encodings {config.pos_encodings}, puzzle_emb_ndim "
            f"{config.puzzle_emb_ndim}, puzzle_emb_len {config.puzzle_emb_len}):\n  {shown}{more}\n"
            "Pass the all_config.yaml and dataset.json of the run that wrote it "
            "(--config, --dataset)."
        )


def _hint(name: str, config: ModelConfig) -> str:
    if ".self_attn." in name or ".mlp_t." in name:
        return f" (mlp_t is {config.mlp_t})"
    if name == _TABLE:
        return f" (puzzle_emb_ndim is {config.puzzle_emb_ndim})"
    if name.startswith("embed_pos"):
        return f" (pos_encodings is {config.pos_encodings})"
    if name.startswith("L_level.layers."):
        return f" (L_layers is {config.L_layers})"
    return ""


def _kind(value: object) -> str:
    if isinstance(value, dict):
        return f"a dictionary with the keys {', '.join(map(str, list(value)[:5]))}"
    return f"a {type(value).__name__}"
