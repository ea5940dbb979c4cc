"""Find and read a run's ``all_config.yaml`` and ``dataset.json``, under all of their names."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trm_edge.config import ModelConfig
from trm_edge.errors import CheckpointError, ConfigError
from trm_edge.export.arch_settings import DEFAULT_NAME, ArchSettings, arch_settings
from trm_edge.export.config_file import Settings, read_json, read_yaml, unwrapped
from trm_edge.printable import excerpt

logger = logging.getLogger(__name__)

CONFIG_NAME = "all_config.yaml"
_OTHER_NAMES = ("config.yaml", "config.json")  # of run loggers and hubs
METADATA_NAME = "dataset.json"
FROM_METADATA = ("seq_len", "vocab_size", "num_puzzle_identifiers")
# Keys that show that a file is the trainer's arch file, without a mapping arch around it.
_TELLING = frozenset(
    {"hidden_size", "num_heads", "expansion", "L_layers", "H_layers", "halt_max_steps"}
)
TEMPLATE_HINT = (
    "trm-edge config writes a commented template, and with --arch the published models' settings."
)


@dataclass(frozen=True)
class RunFiles:
    """The configuration of a run, as found; either file may be missing.

    Args:
        settings: ``all_config.yaml`` with the mapping ``arch``, or None.
        arch: the keys of ``arch`` that its architecture knows; those of TRM without a file.
        metadata: ``dataset.json``, or None.
        config_path: place where ``all_config.yaml`` is, or was looked for.
        metadata_paths: places where ``dataset.json`` was looked for.
    """

    settings: Settings | None
    arch: ArchSettings
    metadata: Settings | None
    config_path: Path
    metadata_paths: tuple[Path, ...]


def find_run_files(weights: Path, config_path: Path | None, dataset_path: Path | None) -> RunFiles:
    """Read ``all_config.yaml`` and ``dataset.json``, and check the architecture's name.

    Args:
        weights: the weight file, beside which both are looked for.
        config_path: ``all_config.yaml`` or its folder instead.
        dataset_path: ``dataset.json`` or the dataset's folder instead.

    Raises:
        CheckpointError: a file cannot be read or is not what it should be.
        ConfigError: the architecture is unknown.
    """
    path = config_path or weights.parent
    if path.is_dir():
        path = _config_in(path)
    settings = None
    name: object = DEFAULT_NAME
    if path.exists() or path.is_symlink():
        settings = _with_arch(read_yaml(path, "a mapping with the key arch"))
        name = settings.values["arch"].get("name", DEFAULT_NAME)
    candidates = _metadata_candidates(weights, dataset_path)
    arch = arch_settings(name, str(path))
    return RunFiles(settings, arch, _read_metadata(candidates), path, candidates)


def _config_in(folder: Path) -> Path:
    """The run's configuration in a folder; those of other names only where they are one."""
    for name in _OTHER_NAMES:
        path = folder / name
        if (folder / CONFIG_NAME).exists() or not path.is_file():
            continue
        values = unwrapped(read_yaml(path, "a mapping with the key arch").values)
        if isinstance(values.get("arch"), dict) or _is_arch(values):
            return path
    return folder / CONFIG_NAME


def _is_arch(values: Mapping[str, Any]) -> bool:
    return sum(key in values for key in _TELLING) >= 3


def check_dataset(config: ModelConfig, weights: Path, dataset_path: Path | None) -> None:
    """Compare a dataset with a configuration that does not come from it.

    Args:
        config: the model's configuration.
        weights: the weight file, beside which ``dataset.json`` is looked for.
        dataset_path: ``dataset.json`` or the dataset's folder instead.

    Raises:
        CheckpointError: the file cannot be read or is not what it should be.
        ConfigError: the dataset is of another shape than the model.
    """
    metadata = _read_metadata(_metadata_candidates(weights, dataset_path))
    if metadata is None:
        return
    for key in ("seq_len", "vocab_size"):
        expected = getattr(config, key)
        if metadata.values.get(key, expected) != expected:
            raise ConfigError(
                f"{key} is {expected} in {weights} but {excerpt(metadata.values[key], 40)} in "
                f"{metadata.path}. Pass the dataset that the model was trained on."
            )


def _read_metadata(candidates: tuple[Path, ...]) -> Settings | None:
    for candidate in candidates:
        if candidate.exists() or candidate.is_symlink():
            keys = ", ".join(FROM_METADATA)
            return read_json(candidate, f"an object with the keys {keys}")
    return None


def _metadata_candidates(weights: Path, dataset_path: Path | None) -> tuple[Path, ...]:
    beside = weights.parent / METADATA_NAME
    if dataset_path is None:
        return (beside, weights.parent / "train" / METADATA_NAME)
    if not dataset_path.is_dir():
        if dataset_path.suffix not in (".json", "") and dataset_path.is_file():
            raise CheckpointError(
                f"--dataset takes a dataset.json or a dataset's folder, but got {dataset_path}. "
                "Puzzles in a file go with --held-out (to measure accuracy on) and --calibration."
            )
        return (dataset_path,)
    folders = (dataset_path, dataset_path / "train", dataset_path / "test")
    return (*(folder / METADATA_NAME for folder in folders), beside)


def _with_arch(settings: Settings) -> Settings:
    """The settings with their ``arch``: from a run, a run logger, or the trainer's arch file."""
    values = unwrapped(settings.values)
    if "arch" not in values and _is_arch(values):
        logger.info("%s is an arch file of the trainer; its keys are taken as arch", settings.path)
        values = {"arch": values}
    arch = values.get("arch")
    if not isinstance(arch, dict):
        keys = ", ".join(excerpt(key, 40) for key in list(values)[:10]) or "none"
        raise ConfigError(
            f"{settings.path} has no mapping under arch; its keys are {keys}. {TEMPLATE_HINT}"
        )
    return Settings(settings.path, values)
