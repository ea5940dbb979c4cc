"""Read a run's ``all_config.yaml`` and ``dataset.json`` into the model's configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from trm_edge.config import ModelConfig
from trm_edge.errors import CheckpointError, ConfigError

CONFIG_NAME = "all_config.yaml"
METADATA_NAME = "dataset.json"
_ARCHITECTURE = "TinyRecursiveReasoningModel_ACTV1"
_FROM_METADATA = ("seq_len", "vocab_size", "num_puzzle_identifiers")
_FROM_ARCH = (
    "hidden_size",
    "num_heads",
    "expansion",
    "L_layers",
    "H_cycles",
    "L_cycles",
    "halt_max_steps",
    "pos_encodings",
)
# The published code's own defaults; runs from before a setting existed do not write it down.
_UPSTREAM_DEFAULTS: dict[str, Any] = {
    "mlp_t": False,
    "no_ACT_continue": True,
    "puzzle_emb_len": 16,
    "puzzle_emb_ndim": 0,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
}
# Settings of training that leave one step's graph as it is.
_IRRELEVANT = frozenset(
    {"name", "loss", "H_layers", "halt_exploration_prob", "forward_dtype", "causal"}
)


@dataclass(frozen=True)
class Settings:
    """A mapping and the file it came from.

    Args:
        path: the file.
        values: its content by key.
    """

    path: Path
    values: Mapping[str, Any]


def find_config(weights: Path, config_path: Path | None) -> Settings:
    """Read ``all_config.yaml``.

    Args:
        weights: the weight file, beside which it is looked for.
        config_path: the file or its folder instead.

    Raises:
        CheckpointError: it does not exist or is not a YAML mapping.
    """
    path = config_path or weights.parent
    if path.is_dir():
        path = path / CONFIG_NAME
    if not path.is_file():
        raise CheckpointError(
            f"no configuration: {path} does not exist. The trainer writes {CONFIG_NAME} only when "
            "a run logs online; pass the run's own with --config FILE. It cannot be guessed from "
            "the weights (heads, cycles and position encoding leave no trace in them)."
        )
    try:
        values = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} is not YAML: {_first_line(error)}.") from error
    if not isinstance(values, dict):
        raise CheckpointError(
            f"{path} holds {type(values).__name__}, but a mapping with the key arch was expected."
        )
    return Settings(path, values)


def find_metadata(weights: Path, dataset_path: Path | None) -> Settings:
    """Read ``dataset.json``.

    Args:
        weights: the weight file, beside which it is looked for.
        dataset_path: the file or the dataset's folder instead.

    Raises:
        CheckpointError: it does not exist or is not a JSON object.
    """
    if dataset_path is not None and dataset_path.is_file():
        candidates = [dataset_path]
    else:
        folder = dataset_path or weights.parent
        candidates = [folder / METADATA_NAME, folder / "train" / METADATA_NAME]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise CheckpointError(
            f"no dataset metadata: none of {', '.join(map(str, candidates))} exists. seq_len, "
            "vocab_size and num_puzzle_identifiers are written there and nowhere else; pass the "
            "dataset's folder or its dataset.json with --dataset PATH."
        )
    try:
        values = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} is not JSON: {_first_line(error)}.") from error
    if not isinstance(values, dict):
        raise CheckpointError(
            f"{path} holds {type(values).__name__}, but an object with the keys "
            f"{', '.join(_FROM_METADATA)} was expected."
        )
    return Settings(path, values)


def model_config(settings: Settings, metadata: Settings) -> ModelConfig:
    """Join the two files into the model's configuration.

    Args:
        settings: ``all_config.yaml``.
        metadata: ``dataset.json``.

    Raises:
        ConfigError: a key is missing, unknown or out of range; names the file.
    """
    arch = settings.values.get("arch")
    if not isinstance(arch, dict):
        keys = ", ".join(map(str, settings.values)) or "none"
        raise ConfigError(f"{settings.path} has no mapping under arch; its keys are {keys}.")
    _check_arch(arch, settings, metadata)
    values: dict[str, Any] = {}
    for key in _FROM_ARCH:
        values[key] = arch[key]
    for key, default in _UPSTREAM_DEFAULTS.items():
        values[key] = arch.get(key, default)
    for key in _FROM_METADATA:
        values[key] = metadata.values[key]
    return ModelConfig.from_dict(values)


def _check_arch(arch: Mapping[Any, Any], settings: Settings, metadata: Settings) -> None:
    name = str(arch.get("name", _ARCHITECTURE))
    if not name.endswith(_ARCHITECTURE):
        raise ConfigError(
            f"{settings.path}: arch.name is {name}, but only the Tiny Recursive Model "
            f"({_ARCHITECTURE}) can be exported."
        )
    known = {*_FROM_ARCH, *_UPSTREAM_DEFAULTS, *_IRRELEVANT, *_FROM_METADATA}
    unknown = sorted(str(key) for key in arch if key not in known)
    if unknown:
        raise ConfigError(
            f"{settings.path}: arch has unknown keys, which might change the computation: "
            f"{', '.join(unknown)}. Known: {', '.join(sorted(known))}."
        )
    missing = [f"arch.{key} in {settings.path}" for key in _FROM_ARCH if key not in arch]
    missing += [f"{key} in {metadata.path}" for key in _FROM_METADATA if key not in metadata.values]
    if missing:
        raise ConfigError(f"the configuration lacks {'; '.join(missing)}.")
    for key in _FROM_METADATA:
        if key in arch and arch[key] != metadata.values[key]:
            raise ConfigError(
                f"{key} is {arch[key]} in {settings.path} but {metadata.values[key]} in "
                f"{metadata.path}."
            )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
