from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.toys import BASE, write_run
from trm_edge.errors import CheckpointError, ConfigError
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.export.run_files import (
    CONFIG_NAME,
    METADATA_NAME,
    RunFiles,
    check_dataset,
    find_run_files,
)

ARCH: dict[str, Any] = {
    "hidden_size": 64,
    "num_heads": 2,
    "expansion": 4,
    "L_layers": 2,
    "H_cycles": 3,
    "L_cycles": 4,
    "halt_max_steps": 16,
    "pos_encodings": "rope",
}
METADATA = {"seq_len": 81, "vocab_size": 11, "num_puzzle_identifiers": 1}


def write_yaml(path: Path, values: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path


def write_json(path: Path, values: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))
    return path


def find(folder: Path, config: Path | None = None, dataset: Path | None = None) -> RunFiles:
    return find_run_files(folder / "step_1", config, dataset)


def arch_of(files: RunFiles) -> object:
    assert files.settings is not None
    return files.settings.values["arch"]


def test_weights_without_files_are_taken_for_trm(tmp_path: Path) -> None:
    files = find(tmp_path)
    assert files.settings is None
    assert files.metadata is None
    assert files.arch.architecture == "trm"
    assert files.config_path == tmp_path / CONFIG_NAME
    assert files.metadata_paths == (
        tmp_path / METADATA_NAME,
        tmp_path / "train" / METADATA_NAME,
    )


def test_the_architecture_is_the_one_that_is_named(tmp_path: Path) -> None:
    name = "hrm.hrm_act_v1@HierarchicalReasoningModel_ACTV1"
    write_yaml(tmp_path / CONFIG_NAME, {"arch": {**ARCH, "name": name}})
    assert find(tmp_path).arch.architecture == "hrm"


def test_an_unknown_architecture_names_the_file(tmp_path: Path) -> None:
    path = write_yaml(tmp_path / CONFIG_NAME, {"arch": {**ARCH, "name": "mine@Mine"}})
    with pytest.raises(ConfigError, match="mine@Mine") as caught:
        find(tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["config.yaml", "config.json"])
def test_a_configuration_of_a_run_logger_is_found(tmp_path: Path, name: str) -> None:
    values = {"arch": {"desc": None, "value": ARCH}}
    path = tmp_path / name
    if name.endswith(".json"):
        write_json(path, values)
    else:
        write_yaml(path, values)
    files = find(tmp_path)
    assert files.config_path == path
    assert arch_of(files) == ARCH


def test_the_trainers_own_name_wins(tmp_path: Path) -> None:
    write_yaml(tmp_path / "config.yaml", {"arch": {**ARCH, "L_layers": 9}})
    write_yaml(tmp_path / CONFIG_NAME, {"arch": ARCH})
    assert arch_of(find(tmp_path)) == ARCH


def test_a_configuration_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """A hub's config.json is often one of another library."""
    write_json(tmp_path / "config.json", {"model_type": "trm", "hidden_size": 64})
    files = find(tmp_path)
    assert files.settings is None
    assert files.config_path == tmp_path / CONFIG_NAME


def test_the_trainers_arch_file_needs_no_mapping_around_it(tmp_path: Path) -> None:
    path = write_yaml(tmp_path / "arch" / "trm.yaml", ARCH)
    assert arch_of(find(tmp_path, config=path)) == ARCH


def test_a_folder_stands_for_the_configuration_in_it(tmp_path: Path) -> None:
    write_yaml(tmp_path / "other" / CONFIG_NAME, {"arch": ARCH})
    files = find(tmp_path, config=tmp_path / "other")
    assert files.config_path == tmp_path / "other" / CONFIG_NAME
    assert arch_of(files) == ARCH


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lr": 1e-4, "epochs": 3}, "has no mapping under arch; its keys are lr, epochs"),
        ({"arch": "trm"}, "has no mapping under arch; its keys are arch"),
        ({}, "has no mapping under arch; its keys are none"),
        ({"hidden_size": 64, "num_heads": 2}, "its keys are hidden_size, num_heads"),
    ],
)
def test_a_configuration_without_arch_names_its_keys(
    tmp_path: Path, values: dict[str, Any], message: str
) -> None:
    write_yaml(tmp_path / CONFIG_NAME, values)
    with pytest.raises(ConfigError, match=f"{message}.*trm-edge config writes"):
        find(tmp_path)


def test_a_link_to_nowhere_is_not_taken_for_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / CONFIG_NAME).symlink_to(tmp_path / "gone.yaml")
    with pytest.raises(CheckpointError, match="No such file"):
        find(tmp_path)


# --- dataset.json ------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["", "train"])
def test_metadata_beside_the_weights_is_found(tmp_path: Path, place: str) -> None:
    write_json(tmp_path / place / METADATA_NAME, METADATA)
    metadata = find(tmp_path).metadata
    assert metadata is not None
    assert metadata.values == METADATA


@pytest.mark.parametrize("place", ["", "train", "test"])
def test_metadata_of_a_dataset_goes_before_that_beside_the_weights(
    tmp_path: Path, place: str
) -> None:
    write_json(tmp_path / METADATA_NAME, {**METADATA, "seq_len": 900})
    write_json(tmp_path / "data" / place / METADATA_NAME, METADATA)
    metadata = find(tmp_path, dataset=tmp_path / "data").metadata
    assert metadata is not None
    assert metadata.path == tmp_path / "data" / place / METADATA_NAME


def test_puzzles_in_place_of_a_dataset_are_told_where_they_go(tmp_path: Path) -> None:
    path = tmp_path / "puzzles.csv"
    path.write_text("puzzle\n")
    with pytest.raises(CheckpointError, match=r"--dataset takes a dataset\.json.*--held-out"):
        find(tmp_path, dataset=path)


def test_a_dataset_that_fits_the_model_passes(tmp_path: Path) -> None:
    config = load_checkpoint(write_run(tmp_path / "run", BASE)).config
    weights = tmp_path / "elsewhere" / "step_1"
    check_dataset(config, weights, None)  # there is none
    values = {"seq_len": config.seq_len, "vocab_size": config.vocab_size, "sets": ["all"]}
    write_json(tmp_path / "data" / "train" / METADATA_NAME, values)
    check_dataset(config, weights, tmp_path / "data")
    write_json(tmp_path / "data" / "train" / METADATA_NAME, {"sets": ["all"]})
    check_dataset(config, weights, tmp_path / "data")


@pytest.mark.parametrize("key", ["seq_len", "vocab_size"])
def test_a_dataset_of_another_shape_names_both_values(tmp_path: Path, key: str) -> None:
    config = load_checkpoint(write_run(tmp_path / "run", BASE)).config
    path = write_json(tmp_path / "data" / METADATA_NAME, {key: 70})
    expected = rf"{key} is {getattr(config, key)} in .*step_1 but 70 in .*{path.name}"
    with pytest.raises(ConfigError, match=expected):
        check_dataset(config, tmp_path / "step_1", tmp_path / "data")
