"""Read the published trainer's checkpoints: weights, configuration and metadata; guess nothing.

A run leaves ``step_{N}`` (a bare ``state_dict``), ``all_config.yaml`` beside it when it logged
online, and the dataset's ``dataset.json`` elsewhere. A weight file loads without complaint under a
wrong position encoding, number of heads or cycles, so the configuration is required. What the
weights do show (D, V, ``mlp_t``, layers, identifiers) is checked against it.
"""

from __future__ import annotations

import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm_edge.config import ModelConfig
from trm_edge.errors import CheckpointError
from trm_edge.export.checkpoint_config import find_config, find_metadata, model_config
from trm_edge.export.model import TinyRecursiveModel
from trm_edge.files import hash_file

_WRAPPERS = ("_orig_mod.module.", "module._orig_mod.", "_orig_mod.", "module.", "")
_MODULES = ("model.inner.", "inner.", "")
_COMMON_PREFIXES = ("_orig_mod.model.inner.", "model.inner.", "inner.", "")  # for messages
_SENTINEL = "lm_head.weight"
_TABLE = "puzzle_emb.weights"
_FLOATS = (torch.float32, torch.bfloat16, torch.float16)
_PROBLEMS_SHOWN = 6
_NAMES_SHOWN = 5


def _known_prefixes() -> tuple[str, ...]:
    prefixes = []
    for wrapper in _WRAPPERS:
        for module in _MODULES:
            prefixes.append(wrapper + module)
    return tuple(prefixes)


# Prefixes of the keys, longest first: compiled or not, wrapped for several GPUs or not.
PREFIXES = _known_prefixes()


@dataclass(frozen=True)
class Checkpoint:
    """A trained model in float32, ready to be exported.

    Args:
        path: the weight file.
        sha256: of the weight file, in hexadecimal.
        config: the model's configuration.
        model: the network and heads with their weights, float32, in evaluation mode.
        puzzle_embeddings: the table (N, E) float32, or None where the model has none.
        averaged: the run's ``ema``, or None where the configuration does not say.
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
    weights_path = _find_weights(path)
    settings = find_config(weights_path, config_path)
    metadata = find_metadata(weights_path, dataset_path)
    state = _read_state(weights_path)
    config = model_config(settings, metadata)
    check_against_weights(config, state, weights_path)
    model = TinyRecursiveModel(config).eval().requires_grad_(False)
    table = state.pop(_TABLE, None)
    model.load_state_dict({name: value.float() for name, value in state.items()})
    puzzle_embeddings = None if table is None else table.float().numpy()
    ema = settings.values.get("ema")
    averaged = ema if isinstance(ema, bool) else None
    return Checkpoint(
        path=weights_path,
        sha256=hash_file(weights_path),
        config=config,
        model=model,
        puzzle_embeddings=puzzle_embeddings,
        averaged=averaged,
        weight_type=str(state[_SENTINEL].dtype).removeprefix("torch."),
    )


def _find_weights(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise CheckpointError(f"no checkpoint at {path}. Pass a step_N file or its folder.")
    steps = []
    for file in path.glob("step_*"):
        number = file.name.removeprefix("step_")
        if number.isdigit() and file.is_file():
            steps.append((int(number), file))
    if not steps:
        names = sorted(entry.name for entry in path.iterdir())
        content = ", ".join(names[:8]) or "nothing"
        raise CheckpointError(
            f"no step_N file in {path}, which holds {content}. Pass the weight file itself."
        )
    _, newest = max(steps)
    return newest


def _read_state(path: Path) -> dict[str, Tensor]:
    """Read the state_dict without its prefix; never execute what the file holds."""
    content = _load_safely(path)
    if not _is_state_dict(content):
        raise CheckpointError(
            f"{path} holds {_content_description(content)}, but a bare state_dict (name to tensor) "
            "was expected. Save the model's state_dict() alone."
        )
    state = _strip_prefix(content, path)
    for name, value in state.items():
        if value.dtype not in _FLOATS:
            raise CheckpointError(
                f"{path}: {name} has type {value.dtype}, but float32, bfloat16 or float16 was "
                "expected."
            )
        finite = torch.isfinite(value)
        if not finite.all():
            count = int((~finite).sum())
            raise CheckpointError(
                f"{path}: {name} holds {count} values that are NaN or infinite. The run diverged; "
                "take an earlier checkpoint."
            )
    return state


def _load_safely(path: Path) -> object:
    try:
        with warnings.catch_warnings():  # about files that are refused below
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        lines = str(error).splitlines()
        reason = lines[0] if lines else type(error).__name__
        raise CheckpointError(
            f"{path} cannot be loaded safely as a state_dict: {reason}. It must hold tensors "
            "alone, as torch.save(model.state_dict(), ...) writes them; a file that needs code "
            "to be run is refused."
        ) from error


def _is_state_dict(content: object) -> TypeGuard[dict[str, Tensor]]:
    if not isinstance(content, dict):
        return False
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            return False
    return True


def _strip_prefix(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    for prefix in PREFIXES:
        if prefix + _SENTINEL not in state:
            continue
        stray = sorted(key for key in state if not key.startswith(prefix))
        if stray:
            raise CheckpointError(
                f"{path}: keys carry the prefix {prefix!r}, but these do not: "
                f"{', '.join(stray[:_NAMES_SHOWN])}."
            )
        return {key.removeprefix(prefix): value for key, value in state.items()}
    prefixes = ", ".join(repr(prefix) for prefix in _COMMON_PREFIXES)
    first_keys = ", ".join(sorted(state)[:_NAMES_SHOWN]) or "nothing"
    raise CheckpointError(
        f"{path} is not a Tiny Recursive Model: there is no {_SENTINEL} under any known prefix "
        f"({prefixes} ...). Its keys start with: {first_keys}."
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
            )
    surplus = []
    for name, shape in actual.items():
        if name not in expected:
            surplus.append(f"{name} {shape} has no place{_hint(name, config)}")
    return [*missing, *surplus, *misshapen]


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


def _content_description(content: object) -> str:
    if isinstance(content, dict):
        keys = [str(key) for key in content]
        return f"a dictionary with the keys {', '.join(keys[:_NAMES_SHOWN])}"
    return f"a {type(content).__name__}"
