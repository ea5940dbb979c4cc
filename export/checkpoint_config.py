"""Join a run's ``all_config.yaml`` and ``dataset.json`` into the model's configuration."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from trm_edge.config import ModelConfig
from trm_edge.errors import CheckpointError, ConfigError
from trm_edge.export.arch_settings import ArchSettings
from trm_edge.export.config_file import Settings, resolved
from trm_edge.export.run_files import CONFIG_NAME, FROM_METADATA, TEMPLATE_HINT, RunFiles
from trm_edge.printable import excerpt

logger = logging.getLogger(__name__)

# Keys that an architecture ignores where it has no use for them, as the published code does.
_ANY_ARCHITECTURE = frozenset(
    {"H_layers", "L_layers", "H_cycles", "L_cycles", "mlp_t", "no_ACT_continue", "puzzle_emb_len"}
)
_ASKED_FOR = ("mlp_t", "puzzle_emb_ndim", "puzzle_emb_len")
UNKNOWN = "???"  # a value still to be filled in, as Hydra writes it
_LARGEST = 2**53


def model_config(files: RunFiles, visible: Mapping[str, int | bool]) -> ModelConfig:
    """Join the two files into the model's configuration.

    Args:
        files: the run's files.
        visible: settings that the weights show, for messages; ``num_puzzle_identifiers`` among
            them is taken, whatever a file says: a dataset that is built again has other ones.

    Raises:
        CheckpointError: a file is missing that the others do not make up for.
        ConfigError: a key is missing, unknown or out of range; names the file.
    """
    settings = files.settings or Settings(files.config_path, {"arch": {}})
    arch = _resolved_arch(settings, files.arch)
    metadata = _filled_in(files.metadata.values if files.metadata is not None else {})
    _check_keys(arch, settings, files.arch)
    dataset_values = {}
    for key in FROM_METADATA:
        if key in metadata:
            dataset_values[key] = metadata[key]
        elif key in arch:
            dataset_values[key] = arch[key]
    if "num_puzzle_identifiers" in visible:
        rows = visible["num_puzzle_identifiers"]
        _say_other_count(dataset_values.get("num_puzzle_identifiers", rows), rows, files)
        dataset_values["num_puzzle_identifiers"] = rows
    elif arch.get("puzzle_emb_ndim", 0) == 0:
        dataset_values.setdefault("num_puzzle_identifiers", 1)
    _require_all(arch, dataset_values, files, visible)
    if files.metadata is not None:
        _check_agreement(arch, metadata, settings, files.metadata, visible)
    values: dict[str, Any] = {key: arch[key] for key in files.arch.required}
    for key, default in files.arch.defaults.items():
        values[key] = arch.get(key, default)
    values.update(dataset_values)
    values.update(files.arch.fixed)
    values["architecture"] = files.arch.architecture
    for key, value in values.items():
        _check_scalar(key, value, files)
    try:
        return ModelConfig.from_dict(values)
    except ConfigError as error:
        raise ConfigError(f"{_sources(files)}: {error}") from error


def _say_other_count(count: Any, rows: int, files: RunFiles) -> None:
    """Warn of a number of identifiers that is not that of the weights."""
    if count == rows:
        return
    logger.warning(
        "%s: num_puzzle_identifiers is %s, but the weights have %d, which is taken. The dataset "
        "was built again or is another one, so its identifiers may stand for other puzzles than "
        "the model was trained on",
        _sources(files),
        excerpt(count, 40),
        rows,
    )


def _filled_in(values: Mapping[Any, Any]) -> dict[str, Any]:
    """The settings that were filled in: ``???`` and nothing at all stand for a missing one."""
    settings = {}
    for key, value in values.items():
        if not isinstance(value, str) or value != UNKNOWN:
            settings[str(key)] = value
    return settings


def _resolved_arch(settings: Settings, known: ArchSettings) -> dict[str, Any]:
    arch = _filled_in(settings.values["arch"])
    for key in (*known.required, *known.defaults, *FROM_METADATA):
        if key in arch:
            arch[key] = resolved(arch[key], ("arch", key), settings.values, settings.path)
    return arch


def _check_keys(arch: Mapping[str, Any], settings: Settings, keys: ArchSettings) -> None:
    known = {*keys.required, *keys.defaults, *FROM_METADATA}
    ignored = {*keys.ignored, *keys.fixed, *_ANY_ARCHITECTURE}
    unknown = []
    for key in sorted(arch):
        if key in known or key in ignored:
            continue
        if "dropout" in key and arch[key] in (0, None):
            logger.info("ignored arch.%s, which is 0", excerpt(key, 60))
            continue
        unknown.append(excerpt(key, 60))
    if unknown:
        raise ConfigError(
            f"{settings.path}: arch has unknown keys, which might change the computation: "
            f"{', '.join(unknown[:20])}. Known: {', '.join(sorted(known))}."
        )


def _require_all(
    arch: Mapping[str, Any],
    dataset_values: Mapping[str, Any],
    files: RunFiles,
    visible: Mapping[str, int | bool],
) -> None:
    """Ask for everything that is missing in one message."""
    # What has a default in the trainer is asked for too where there is no configuration at all.
    needed = [*files.arch.required]
    if files.settings is None:
        needed += _ASKED_FOR
    else:
        raw = files.settings.values["arch"]
        needed += [key for key in files.arch.defaults if raw.get(key) == UNKNOWN]
    missing_arch = [_described(key, visible) for key in needed if key not in arch]
    missing_data = [_described(key, visible) for key in FROM_METADATA if key not in dataset_values]
    if not missing_arch and not missing_data:
        return
    if files.settings is not None and (files.metadata is not None or not missing_data):
        missing = [f"arch.{key} in {files.config_path}" for key in missing_arch]
        if missing_data:
            place = files.metadata.path if files.metadata else files.config_path
            missing += [f"{key} in {place}" for key in missing_data]
        raise ConfigError(f"the configuration lacks {'; '.join(missing)}. {TEMPLATE_HINT}")
    parts = []
    if files.settings is None:
        parts.append(
            f"no configuration: {files.config_path} does not exist. The trainer writes "
            f"{CONFIG_NAME} only when a run logs online, and heads, cycles and position encoding "
            "leave no trace in the weights"
        )
    if files.metadata is None and missing_data:
        paths = ", ".join(map(str, files.metadata_paths))
        parts.append(f"no dataset metadata: none of {paths} exists")
    lacking = []
    if missing_arch:
        lacking.append(f"arch: {', '.join(missing_arch)}")
    if missing_data:
        lacking.append(f"of the dataset: {', '.join(missing_data)}")
    raise CheckpointError(
        f"{'; '.join(parts)}. Missing are: {'; '.join(lacking)}. Pass the run's own files with "
        "--config FILE and --dataset PATH, or write them down yourself: "
        f"{TEMPLATE_HINT} The dataset's three may stand in it, too."
    )


def _described(key: str, visible: Mapping[str, int | bool]) -> str:
    if key not in visible:
        return key
    value = visible[key]
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"{key} (the weights show {text})"


def _check_agreement(
    arch: Mapping[str, Any],
    metadata: Mapping[str, Any],
    settings: Settings,
    dataset: Settings,
    visible: Mapping[str, int | bool],
) -> None:
    for key in FROM_METADATA:
        if key == "num_puzzle_identifiers" and key in visible:
            continue  # the weights decide
        if key in arch and key in metadata and arch[key] != metadata[key]:
            raise ConfigError(
                f"{key} is {excerpt(arch[key], 40)} in {settings.path} but "
                f"{excerpt(metadata[key], 40)} in {dataset.path}."
            )


def _check_scalar(key: str, value: Any, files: RunFiles) -> None:
    """Refuse what no setting can be, before a message would show all of it."""
    is_large = isinstance(value, int) and abs(value) > _LARGEST
    is_long = isinstance(value, str) and len(value) > 40
    if is_large or is_long or not isinstance(value, (bool, int, float, str)):
        raise ConfigError(
            f"{_sources(files)}: {key} must be a number or a word, but got "
            f"{excerpt(_shape(value), 60)}."
        )
    if isinstance(value, str) and excerpt(value) != value:
        raise ConfigError(f"{_sources(files)}: {key} holds control characters.")


def _shape(value: Any) -> Any:
    if isinstance(value, (list, dict, tuple, set)):
        return f"a {type(value).__name__}"
    return value


def _sources(files: RunFiles) -> str:
    paths = [files.config_path]
    if files.metadata is not None:
        paths.append(files.metadata.path)
    return " and ".join(map(str, paths))
