"""Configuration files as people have them, and those that are made to hurt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.toys import BASE, arch_settings, write_run
from trm_edge.errors import CheckpointError, ConfigError
from trm_edge.export.checkpoint import load_checkpoint

LAUGHS = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
for level in range(1, 10):
    LAUGHS.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")


def write_config(folder: Path, text: str) -> Path:
    path = write_run(folder, BASE)
    (folder / "all_config.yaml").write_text(text, encoding="utf-8")
    return path


def arch_yaml(**changes: Any) -> str:
    return yaml.safe_dump({"arch": {**arch_settings(BASE), **changes}})


@pytest.mark.parametrize(
    "text",
    [
        arch_yaml(),
        "\ufeff" + arch_yaml(),
        json.dumps({"arch": arch_settings(BASE)}),
        yaml.safe_dump(arch_settings(BASE)),
        yaml.safe_dump(
            {
                "wandb_version": 1,
                "arch": {"desc": None, "value": arch_settings(BASE)},
                "ema": {"desc": None, "value": True},
            }
        ),
        arch_yaml(puzzle_emb_ndim="${.hidden_size}"),
        arch_yaml(puzzle_emb_ndim="${arch.hidden_size}"),
        arch_yaml(puzzle_emb_ndim="${..width}") + "width: 32\n",
        arch_yaml(puzzle_emb_dropout=0.0),
        arch_yaml(rms_norm_eps=1e-5).replace("1.0e-05", "1e-5"),
        arch_yaml(expansion="@").replace("'@'", "4e0"),
    ],
)
def test_is_read(text: str, tmp_path: Path) -> None:
    assert load_checkpoint(write_config(tmp_path, text)).config == BASE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (arch_yaml(puzzle_emb_ndim="${oc.env:HOME}"), "the interpolation .*cannot be resolved"),
        (arch_yaml(puzzle_emb_ndim="${.absent}"), "the interpolation .*cannot be resolved"),
        (arch_yaml(hidden_size="${.hidden_size}"), "the interpolation .*cannot be resolved"),
        (arch_yaml(puzzle_emb_dropout=0.1), "unknown keys.*puzzle_emb_dropout"),
        (arch_yaml(hidden_size=[1] * 99), "hidden_size must be a number or a word, but got a list"),
        (arch_yaml(H_cycles="x" * 5000), "H_cycles must be a number or a word"),
        (arch_yaml(L_layers=10**9), "L_layers gives 1000000000, but at most 1"),
        (arch_yaml(H_cycles=10**6), "H_cycles x .* at most 2048 is supported"),
        (arch_yaml(halt_max_steps=10**9), "halt_max_steps gives"),
        (arch_yaml(expansion=1e300), "expansion gives"),
        (arch_yaml(name="recursive_reasoning.my_trm@TinyRecursiveReasoningModel_ACTV1"), "my_trm"),
        (arch_yaml(name=3), "arch.name must be of type str"),
        (arch_yaml() + "seed: 1\nseed: 2\n", "gives seed twice"),
        ("\n".join(LAUGHS) + "\narch: *a9\n", "more than 20000 values"),
        ("a: &a [*a]\n", "refers to itself"),
        ("[" * 10_000, "nested too deeply"),
        ("- " * 20_000, "nested too deeply"),
        ("{a: " * 5_000, "nested too deeply"),
        ("x: '" + "y" * 1_000_000 + "'", "is larger than 256 KiB"),
        ("x: !!timestamp y", "is not YAML"),
        ("x: !!python/object/apply:os.system ['true']", "is not YAML"),
        ("x: " + "9" * 5000, "is not YAML"),
        ("x: 0x" + "f" * 5000, "has no mapping under arch"),
    ],
)
def test_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = write_config(tmp_path, text)
    with pytest.raises((CheckpointError, ConfigError), match=message) as caught:
        load_checkpoint(path)
    assert len(str(caught.value)) < 1500


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "is not JSON"),
        ('{"seq_len": ' + "9" * 5000 + "}", "is not JSON"),
        ('{"seq_len": 1e999, "vocab_size": 7, "num_puzzle_identifiers": 3}', "must be of type int"),
        ('{"seq_len": 10000000, "vocab_size": 7, "num_puzzle_identifiers": 3}', "seq_len gives"),
        ('{"seq_len": "\\u001b[31m", "vocab_size": 7, "num_puzzle_identifiers": 3}', "control"),
        (" " * 1_000_000, "is larger than 256 KiB"),
    ],
)
def test_metadata_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = write_run(tmp_path, BASE)
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises((CheckpointError, ConfigError), match=message) as caught:
        load_checkpoint(path)
    assert len(str(caught.value)) < 1500


def test_everything_missing_is_asked_for_at_once(tmp_path: Path) -> None:
    path = write_run(tmp_path, BASE)
    (tmp_path / "all_config.yaml").unlink()
    (tmp_path / "dataset.json").unlink()
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    for part in (
        "all_config.yaml does not exist",
        "dataset.json",
        "num_heads, ",
        "H_cycles",
        "pos_encodings",
        "hidden_size (the weights show 32)",
        "mlp_t (the weights show true)",
        "seq_len",
        "trm-edge config",
    ):
        assert part in message
