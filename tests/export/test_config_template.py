"""The commented configuration: complete, readable by the importer, and open where it must be."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from tests.toys import BASE, FAMILY, write_run
from tests.toys import arch_settings as arch_of
from trm_edge.cli.config import ARCHS
from trm_edge.config import ModelConfig
from trm_edge.errors import CheckpointError, ConfigError
from trm_edge.export.arch_settings import arch_settings
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.export.checkpoint_config import UNKNOWN
from trm_edge.export.config_template import config_template
from trm_edge.export.model import RecursiveModel
from trm_edge.export.presets import PRESETS

OF_NO_DATASET = ("trm-singlez", "trm-hier6", "transformer", "hrm")


def config_of(arch: str) -> ModelConfig:
    """What the importer reads, with the sizes of an ARC dataset where they are left open."""
    content = yaml.safe_load(config_template(arch))["arch"]
    settings = arch_settings(content.pop("name"), arch)
    values = {**settings.defaults, **content, **settings.fixed}
    for key, value in {"seq_len": 900, "vocab_size": 12, "num_puzzle_identifiers": 1}.items():
        if values.get(key, UNKNOWN) == UNKNOWN:
            values[key] = value
    return ModelConfig.from_dict({**values, "architecture": settings.architecture})


@pytest.mark.parametrize("arch", PRESETS)
def test_presets_leave_nothing_open_but_a_dataset(arch: str) -> None:
    text = config_template(arch)
    assert text.count(UNKNOWN) == (2 if arch in OF_NO_DATASET else 0)
    assert max(map(len, text.splitlines())) <= 104
    content = yaml.safe_load(text)
    assert content.get("ema") is (None if content["arch"]["name"].startswith("hrm.") else True)
    settings = arch_settings(content["arch"]["name"], arch)
    assert set(settings.required) <= set(content["arch"])


# The published code at its shipped settings, without puzzle rows.
@pytest.mark.parametrize(
    ("arch", "parameters"),
    [
        ("trm-singlez", 6_829_058),
        ("trm-hier6", 6_829_058),
        ("arc-1", 6_829_058),
        ("hrm", 27_276_290),
        ("hrm-arc", 27_276_290),
        ("transformer", 27_145_218),
    ],
)
def test_presets_are_of_the_published_size(arch: str, parameters: int) -> None:
    with torch.device("meta"):
        model = RecursiveModel(config_of(arch))
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


@pytest.mark.parametrize(
    ("arch", "key", "value"),
    [
        ("sudoku-mlp", "mlp_t", True),
        ("sudoku-mlp", "L_cycles", 6),
        ("maze", "L_cycles", 4),
        ("arc-1", "vocab_size", 12),
        ("hrm-maze", "seq_len", 900),
        ("hrm-sudoku-full", "pos_encodings", "learned"),
        ("hrm-sudoku-full", "halt_max_steps", 8),
        ("hrm-sudoku-full", "L_cycles", 8),
        ("transformer", "num_heads", 12),
    ],
)
def test_the_published_parameters(arch: str, key: str, value: object) -> None:
    """arXiv 2510.04871, 2506.21734 and their configuration files."""
    assert getattr(config_of(arch), key) == value


@pytest.mark.parametrize(
    ("arch", "variant"),
    [("hrm-sudoku", "hrm"), ("trm-singlez", "trm-singlez"), ("transformer", "transformer")],
)
def test_a_preset_and_a_dataset_are_enough(arch: str, variant: str, tmp_path: Path) -> None:
    """A small model stands for the published one; the preset says which architecture it is."""
    config = FAMILY[variant]
    path = write_run(tmp_path, config)
    text = config_template(arch)
    content = yaml.safe_load(text)
    for key in content["arch"]:
        if key != "name":
            content["arch"][key] = getattr(config, key)
    (tmp_path / "all_config.yaml").write_text(yaml.safe_dump(content))
    assert load_checkpoint(path).config == config


def test_open_dataset_lines_are_filled_in_by_the_dataset(tmp_path: Path) -> None:
    path = write_run(tmp_path, FAMILY["hrm"])
    text = config_template("hrm").replace("hidden_size: 512", "hidden_size: 32")
    text = text.replace("puzzle_emb_ndim: 512", "puzzle_emb_ndim: 32")
    text = text.replace("_layers: 4", "_layers: 2")
    text = text.replace("H_layers: 2", "H_layers: 1").replace("num_heads: 8", "num_heads: 2")
    (tmp_path / "all_config.yaml").write_text(text)
    assert load_checkpoint(path).config.seq_len == FAMILY["hrm"].seq_len
    (tmp_path / "dataset.json").unlink()
    with pytest.raises((CheckpointError, ConfigError), match="seq_len"):
        load_checkpoint(path)


def test_the_command_knows_every_preset() -> None:
    assert tuple(PRESETS) == ARCHS
    with pytest.raises(ConfigError, match="there is no published model 'x'"):
        config_template("x")


def test_an_open_template_asks_for_everything_at_once(tmp_path: Path) -> None:
    path = write_run(tmp_path, BASE)
    (tmp_path / "dataset.json").unlink()
    (tmp_path / "all_config.yaml").write_text(config_template())
    with pytest.raises((CheckpointError, ConfigError)) as caught:
        load_checkpoint(path)
    for key in ("num_heads", "mlp_t", "puzzle_emb_len", "seq_len", "vocab_size"):
        assert key in str(caught.value)


def test_a_filled_in_template_is_enough(tmp_path: Path) -> None:
    path = write_run(tmp_path, BASE)
    (tmp_path / "dataset.json").unlink()
    values = {**arch_of(BASE), "seq_len": BASE.seq_len, "vocab_size": BASE.vocab_size}
    lines = []
    for line in config_template().splitlines():
        key = line.strip().partition(":")[0]
        if key == "num_puzzle_identifiers":
            continue  # the weights show it
        if key in values and UNKNOWN in line:
            line = line.replace(UNKNOWN, str(values[key]).lower(), 1)
        lines.append(line)
    (tmp_path / "all_config.yaml").write_text("\n".join(lines))
    assert load_checkpoint(path).config == BASE
