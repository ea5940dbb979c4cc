"""Reading checkpoints and their configuration, and every way in which they do not fit."""

from __future__ import annotations

import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from tests.toys import BASE, VARIANTS, arch_settings, toy_model, write_run
from trm_edge.errors import CheckpointError, ConfigError
from trm_edge.export import checkpoint as checkpoint_module
from trm_edge.export.checkpoint import load_checkpoint

PREFIXES = (
    "",
    "inner.",
    "model.inner.",
    "_orig_mod.model.inner.",
    "module.model.inner.",
    "_orig_mod.module.model.inner.",
    "module._orig_mod.inner.",
    "model._orig_mod.inner.",
    "_orig_mod._orig_mod.model.inner.",
    "a.name.of.their.own.",
)


@pytest.mark.parametrize("name", VARIANTS)
def test_loads_every_architecture(name: str, tmp_path: Path) -> None:
    config = VARIANTS[name]
    loaded = load_checkpoint(write_run(tmp_path, config))
    assert loaded.config == config
    expected = toy_model(config).state_dict()
    for key, value in loaded.model.state_dict().items():
        torch.testing.assert_close(value, expected[key])
    assert (loaded.puzzle_embeddings is None) == (config.puzzle_emb_ndim == 0)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_strips_a_common_prefix_whatever_it_is(prefix: str, tmp_path: Path) -> None:
    loaded = load_checkpoint(write_run(tmp_path, BASE, prefix=prefix))
    torch.testing.assert_close(
        loaded.model.lm_head.weight, toy_model(BASE).lm_head.weight, check_stride=False
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_loads_every_weight_type_into_float32(dtype: torch.dtype, tmp_path: Path) -> None:
    loaded = load_checkpoint(write_run(tmp_path, BASE, dtype=dtype))
    assert loaded.model.lm_head.weight.dtype == torch.float32
    assert loaded.weight_type == str(dtype).removeprefix("torch.")


def test_a_folder_means_its_newest_step(tmp_path: Path) -> None:
    write_run(tmp_path, BASE, step=9)
    write_run(tmp_path, BASE, step=100)
    assert load_checkpoint(tmp_path).path.name == "step_100"


def test_configuration_and_metadata_from_elsewhere(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    data = tmp_path / "data" / "train"
    data.mkdir(parents=True)
    (tmp_path / "run" / "dataset.json").rename(data / "dataset.json")
    (tmp_path / "run" / "all_config.yaml").rename(tmp_path / "other.yaml")
    loaded = load_checkpoint(path, tmp_path / "other.yaml", tmp_path / "data")
    assert loaded.config == BASE


def test_weights_that_are_not_averaged_are_recognised(tmp_path: Path) -> None:
    path = write_run(tmp_path, BASE)
    config = tmp_path / "all_config.yaml"
    config.write_text(yaml.safe_dump({"arch": arch_settings(BASE), "ema": False}))
    assert load_checkpoint(path).averaged is False


def test_without_ema_it_is_unknown_whether_weights_are_averaged(tmp_path: Path) -> None:
    path = write_run(tmp_path, BASE)
    (tmp_path / "all_config.yaml").write_text(yaml.safe_dump({"arch": arch_settings(BASE)}))
    assert load_checkpoint(path).averaged is None


class _Payload:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("executed",))


def test_never_executes_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_run(tmp_path, BASE)
    torch.save({"lm_head.weight": _Payload()}, path)
    with pytest.raises(CheckpointError, match="cannot be loaded safely"):
        load_checkpoint(path)
    with path.open("wb") as file:
        pickle.dump(_Payload(), file)
    with pytest.raises(CheckpointError, match="cannot be loaded safely"):
        load_checkpoint(path)
    assert "executed" not in capsys.readouterr().out


def test_a_truncated_file(tmp_path: Path) -> None:
    path = write_run(tmp_path, BASE)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(CheckpointError, match="cannot be loaded safely"):
        load_checkpoint(path)


def test_an_empty_file(tmp_path: Path) -> None:
    path = write_run(tmp_path, BASE)
    path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="is empty"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds a list, but a bare state_dict"),
        ({"model": {"a": torch.zeros(1)}}, "a dictionary with the keys model"),
        ({"conv.weight": torch.zeros(1)}, "is not a Tiny Recursive Model"),
        (
            {"model.inner.lm_head.weight": torch.zeros(1), "stray": torch.zeros(1)},
            "these do not: stray",
        ),
        (
            {"lm_head.weight": torch.zeros(7, 32, dtype=torch.int64)},
            "has type torch.int64, but float32",
        ),
        ({"lm_head.weight": torch.full((7, 32), float("nan"))}, "224 values that are NaN"),
    ],
)
def test_a_file_that_is_not_a_state_dict(content: object, message: str, tmp_path: Path) -> None:
    path = write_run(tmp_path, BASE)
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": 64, "puzzle_emb_ndim": 64}, r"lm_head.weight has shape \(7, 32\)"),
        ({"vocab_size": 8}, r"embed_tokens.embedding_weight has shape \(7, 32\)"),
        ({"mlp_t": False}, r"self_attn.qkv_proj.weight is missing \(mlp_t is False\)"),
        ({"L_layers": 3}, r"layers\.2\..* is missing \(L_layers is 3\)"),
        ({"L_layers": 1}, r"has no place \(L_layers is 1\)|has no place \(mlp_t is True\)"),
        ({"seq_len": 10}, r"mlp_t.gate_up_proj.weight has shape"),
        ({"pos_encodings": "learned"}, r"embed_pos.embedding_weight is missing"),
        ({"puzzle_emb_ndim": 0, "puzzle_emb_len": 0}, r"puzzle_emb.weights .* has no place"),
    ],
)
def test_weights_contradict_the_configuration(
    change: dict[str, object], message: str, tmp_path: Path
) -> None:
    path = write_run(tmp_path, BASE)
    wrong = replace(BASE, **change)  # type: ignore[arg-type]
    (tmp_path / "all_config.yaml").write_text(yaml.safe_dump({"arch": arch_settings(wrong)}))
    (tmp_path / "dataset.json").write_text(
        json.dumps(
            {
                "seq_len": wrong.seq_len,
                "vocab_size": wrong.vocab_size,
                "num_puzzle_identifiers": wrong.num_puzzle_identifiers,
            }
        )
    )
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


def test_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "absent")
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(CheckpointError, match=r"no step_N file in .*notes\.txt"):
        load_checkpoint(tmp_path)
    for name in ("manifest.json", "parity.npz"):
        (tmp_path / name).write_text("")
    with pytest.raises(CheckpointError, match=r"is a bundle.* trm-edge export --into .* --target"):
        load_checkpoint(tmp_path)


def test_no_configuration(tmp_path: Path) -> None:
    path = write_run(tmp_path, BASE)
    (tmp_path / "all_config.yaml").unlink()
    with pytest.raises(CheckpointError, match="--config FILE"):
        load_checkpoint(path)


def test_no_metadata(tmp_path: Path) -> None:
    path = write_run(tmp_path, BASE)
    (tmp_path / "dataset.json").unlink()
    with pytest.raises(CheckpointError, match="--dataset PATH"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ({"num_heads": None}, "lacks arch.num_heads"),
        ({"halting": "sometimes"}, "unknown keys, which might change the computation: halting"),
        ({"name": "hrm@HierarchicalReasoningModel"}, "only these architectures can be exported"),
        ({"seq_len": 10}, "seq_len is 10 in .* but 9 in"),
        ({"H_cycles": "3"}, "H_cycles must be of type int, but got '3'"),
        ({"L_cycles": 0}, "L_cycles must be positive, but got 0"),
        ({"mlp_t": 1}, "mlp_t must be of type bool, but got 1"),
        ({"pos_encodings": "alibi"}, "must be one of rope, learned, none, but got 'alibi'"),
        ({"puzzle_emb_ndim": 65}, "puzzle_emb_ndim 65 does not fit"),
        ({"puzzle_emb_ndim": 0}, "without an embedding there is nothing to fill the prefix"),
        ({"mlp_t": False, "num_heads": 33}, "num_heads must be at most hidden_size 32, but got 33"),
    ],
)
def test_invalid_configurations(arch: dict[str, object], message: str, tmp_path: Path) -> None:
    path = write_run(tmp_path, BASE)
    settings = arch_settings(BASE) | arch
    settings = {key: value for key, value in settings.items() if value is not None}
    (tmp_path / "all_config.yaml").write_text(yaml.safe_dump({"arch": settings}))
    with pytest.raises(ConfigError, match=message):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("all_config.yaml", "arch: [", "is not YAML"),
        ("all_config.yaml", "- 1", "holds a list, but a mapping"),
        ("dataset.json", "{", "is not JSON"),
        ("dataset.json", "[]", "holds a list, but an object"),
    ],
)
def test_files_that_cannot_be_read(name: str, text: str, message: str, tmp_path: Path) -> None:
    path = write_run(tmp_path, BASE)
    (tmp_path / name).write_text(text)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


def test_no_arch_in_the_configuration(tmp_path: Path) -> None:
    path = write_run(tmp_path, BASE)
    (tmp_path / "all_config.yaml").write_text("lr: 1\n")
    with pytest.raises(ConfigError, match="has no mapping under arch; its keys are lr"):
        load_checkpoint(path)


def test_the_embedding_table_is_float32(tmp_path: Path) -> None:
    loaded = load_checkpoint(write_run(tmp_path, BASE, dtype=torch.bfloat16))
    assert loaded.puzzle_embeddings is not None
    assert loaded.puzzle_embeddings.dtype == np.float32


def test_a_large_table_stays_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_run(tmp_path, BASE)
    copied = load_checkpoint(path)
    monkeypatch.setattr(checkpoint_module, "_COPIED_BYTES", 0)
    mapped = load_checkpoint(path)
    assert copied.puzzle_embeddings is not None
    assert mapped.puzzle_embeddings is not None
    assert copied.puzzle_embeddings.base is None
    assert mapped.puzzle_embeddings.base is not None
    np.testing.assert_array_equal(mapped.puzzle_embeddings, copied.puzzle_embeddings)


def test_a_file_that_changes_while_it_is_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_run(tmp_path, BASE)
    copied = load_checkpoint(path)
    monkeypatch.setattr(checkpoint_module, "_COPIED_BYTES", 0)
    checkpoint = load_checkpoint(path)
    checkpoint.require_unchanged()
    os.utime(path, ns=(1, 1))
    copied.require_unchanged()
    with pytest.raises(CheckpointError, match="step_10 was changed while it was exported"):
        checkpoint.require_unchanged()
