"""nano-trm's Lightning checkpoints: settings, averaged weights, names, and what is refused."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.cli.commands import run
from tests.logs import logged
from trm_edge.bundle import Bundle
from trm_edge.errors import CheckpointError, ConfigError
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.export.safe_load import load_tensors
from trm_edge.export.weight_file import read_weights

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "nano_sudoku4_mlp" / "last.ckpt"


@pytest.fixture
def content() -> dict[str, Any]:
    """What the golden checkpoint holds; its path as text."""
    loaded = read_weights(GOLDEN)
    assert isinstance(loaded, dict)
    return loaded


def saved(folder: Path, content: object, name: str = "last.ckpt") -> Path:
    path = folder / name
    torch.save(content, path)
    return path


def with_attention(content: dict[str, Any], **settings: object) -> None:
    """Give the toy attention in place of its SwiGLU over positions."""
    content["hyper_parameters"].update({"use_mlp_t": False, **settings})
    for state in (content["state_dict"], content["callbacks"]["EMACallback"]["shadow"]):
        for name in [name for name in state if ".mlp_t." in name]:
            del state[name]
        state["lenet.layers.0.self_attn.qkv_proj.weight"] = torch.zeros(48, 16)
        state["lenet.layers.0.self_attn.o_proj.weight"] = torch.zeros(16, 16)


def test_settings_weights_and_halting_head() -> None:
    with logged() as lines:
        loaded = load_checkpoint(GOLDEN.parent)
    config = loaded.config
    assert (config.seq_len, config.vocab_size, config.hidden_size) == (36, 7, 16)
    assert (config.H_cycles, config.L_cycles, config.halt_max_steps) == (3, 6, 16)
    assert (config.mlp_t, config.no_ACT_continue, config.carry_len) == (True, True, 36)
    assert loaded.puzzle_embeddings is None
    assert loaded.averaged is True
    assert any("took the averaged weights, callbacks.EMACallback.shadow" in line for line in lines)
    content = torch.load(GOLDEN, weights_only=False)
    shadow = content["callbacks"]["EMACallback"]["shadow"]
    torch.testing.assert_close(loaded.model.lm_head.weight.data, shadow["lm_head.weight"])
    torch.testing.assert_close(loaded.model.H_init, content["state_dict"]["z_H_init"])
    torch.testing.assert_close(loaded.model.q_head.weight[0], shadow["q_head.weight"][0])
    assert loaded.model.q_head.weight[1].abs().max() == 0
    assert loaded.model.q_head.bias[1] == -1e4


def test_without_the_callback_the_raw_weights_are_taken(
    tmp_path: Path, content: dict[str, Any]
) -> None:
    raw = content["state_dict"]["lm_head.weight"]
    del content["callbacks"]["EMACallback"]
    loaded = load_checkpoint(saved(tmp_path, content))
    assert loaded.averaged is False
    torch.testing.assert_close(loaded.model.lm_head.weight.data, raw)


def test_the_newest_file_of_a_run_is_taken(tmp_path: Path, content: dict[str, Any]) -> None:
    folder = tmp_path / "run" / "checkpoints"
    folder.mkdir(parents=True)
    (tmp_path / "run" / "config.yaml").write_text("model: {}\n")
    for name in ("epoch_009.ckpt", "epoch_010.ckpt"):
        saved(folder, content, name)
    assert load_checkpoint(tmp_path / "run").path.name == "epoch_010.ckpt"
    assert load_checkpoint(folder).path.name == "epoch_010.ckpt"
    saved(folder, content)
    assert load_checkpoint(tmp_path / "run").path.name == "last.ckpt"


def test_a_puzzle_embedding_and_rotary_positions(tmp_path: Path, content: dict[str, Any]) -> None:
    with_attention(content, pos_emb_type="1d", puzzle_emb_dim=16, puzzle_emb_len=2, num_puzzles=9)
    content["state_dict"]["puzzle_emb.weights"] = torch.ones(5, 16)
    loaded = load_checkpoint(saved(tmp_path, content))
    assert (loaded.config.pos_encodings, loaded.config.prefix_len) == ("rope", 2)
    assert loaded.config.num_puzzle_identifiers == 5  # as the weights have, not the settings
    assert loaded.puzzle_embeddings is not None
    np.testing.assert_array_equal(loaded.puzzle_embeddings, np.ones((5, 16), np.float32))


@pytest.mark.parametrize("position", [None, "null"])
def test_no_positions(position: str | None, tmp_path: Path, content: dict[str, Any]) -> None:
    with_attention(content, pos_emb_type=position)
    assert load_checkpoint(saved(tmp_path, content)).config.pos_encodings == "none"


def test_a_length_without_an_embedding_has_no_effect(
    tmp_path: Path, content: dict[str, Any]
) -> None:
    content["hyper_parameters"]["puzzle_emb_len"] = 16  # the class's default
    assert load_checkpoint(saved(tmp_path, content)).config.prefix_len == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pos_emb_type": "2d"}, r"nano-trm.*pos_emb_type is 2d \(its own two-dim.*supported are"),
        ({"pos_emb_type": ["1d"]}, r"pos_emb_type is \['1d'\] \(unknown\)"),
        ({"use_conv_swiglu": True}, r"use_conv_swiglu is True\. The published.*plain SwiGLU"),
        ({"use_board_swiglu": True}, "use_board_swiglu is True"),
        ({"attn_gate_type": "headwise"}, "attn_gate_type is headwise"),
        ({"expert_count": 4}, "keys that nano-trm's TRM does not have.*: expert_count. Known: H_c"),
        ({"num_heads": "8"}, "num_heads of hyper_parameters must be a number, but got 8"),
        ({"num_layers": None}, "hyper_parameters of nano-trm lacks num_layers"),
        ({"H_cycles": 0}, "hyper_parameters of nano-trm: H_cycles must be positive"),
        ({"H_cycles": 10**6}, "H_cycles x .* at most 2048 is supported"),
        ({"hidden_size": 32}, "does not fit its configuration.*as nano-trm wrote it"),
    ],
)
def test_what_is_refused(
    settings: dict[str, object], message: str, tmp_path: Path, content: dict[str, Any]
) -> None:
    content["hyper_parameters"].update(settings)
    with pytest.raises((CheckpointError, ConfigError), match=f"(?s){message}"):
        load_checkpoint(saved(tmp_path, content))


def test_weights_without_settings(tmp_path: Path, content: dict[str, Any]) -> None:
    path = saved(tmp_path, content["state_dict"])
    with pytest.raises(CheckpointError, match="nano-trm without hyper_parameters"):
        load_checkpoint(path)


def test_a_head_of_two_rows(tmp_path: Path, content: dict[str, Any]) -> None:
    heads: dict[str, Tensor] = {"q_head.weight": torch.zeros(2, 16), "q_head.bias": torch.zeros(2)}
    content["callbacks"]["EMACallback"]["shadow"].update(heads)
    with pytest.raises(CheckpointError, match="halting head has one row"):
        load_checkpoint(saved(tmp_path, content))


def test_a_configuration_beside_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds its own configuration: leave out --config"):
        load_checkpoint(GOLDEN, tmp_path / "config.yaml")


def test_a_dataset_of_another_shape(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    metadata = tmp_path / "train" / "dataset.json"
    metadata.write_text('{"num_puzzles": 5, "grid_size": 4, "seq_len": 36, "vocab_size": 7}')
    load_checkpoint(GOLDEN, None, tmp_path)
    metadata.write_text('{"seq_len": 81, "vocab_size": 12}')
    with pytest.raises(ConfigError, match=r"seq_len is 36 in .* but 81 in .*dataset\.json"):
        load_checkpoint(GOLDEN, None, tmp_path)


def test_the_path_in_the_file_is_text(content: dict[str, Any]) -> None:
    path = content["hyper_parameters"]["output_dir"]
    assert type(path) is str
    assert path == "/tmp/logs/train/runs/2026-01-01_00-00-00"


class _Command:
    """An object whose restoring would open a path."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (open, ("/etc/hostname",))


@pytest.mark.parametrize("value", [_Command(), PurePosixPath("x"), slice(1)])
def test_no_other_object_is_restored(
    value: object, tmp_path: Path, content: dict[str, Any]
) -> None:
    content["hyper_parameters"]["output_dir"] = value
    with pytest.raises(CheckpointError, match=r"holds an object of|damaged") as caught:
        load_checkpoint(saved(tmp_path, content))
    assert "weights_only" not in str(caught.value)


def test_the_guard_of_other_programs_is_left_as_it_was(tmp_path: Path) -> None:
    before = set(torch.serialization.get_safe_globals())
    load_tensors(GOLDEN, mmap=False)
    assert set(torch.serialization.get_safe_globals()) == before
    with torch.serialization.safe_globals([PurePosixPath]):
        path = saved(tmp_path, PurePosixPath("x"))
        with pytest.raises(CheckpointError, match="PurePosixPath"):
            read_weights(path)


def test_a_model_of_9x9_is_quantized_on_the_bundled_sudokus(
    tmp_path: Path, content: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trm_edge.targets.export_bundle.PARITY_PUZZLES", 4)
    with_attention(content, seq_len=81, vocab_size=12, N_supervision_val=2)
    generator = torch.Generator().manual_seed(0)
    for state in (content["state_dict"], content["callbacks"]["EMACallback"]["shadow"]):
        for name in ("lm_head.weight", "input_embedding.embedding_weight"):
            state[name] = torch.randn(12, 16, generator=generator)
        for name in [name for name in state if ".self_attn." in name]:
            state[name] = torch.randn(state[name].shape, generator=generator) / 4
    weights = saved(tmp_path, content)
    output = tmp_path / "bundle"
    result = run("export", weights, "--int8", "--calibration-puzzles", 16, "-o", output)
    assert result.exit_code == 0, result.output
    bundle = Bundle.open(output)
    assert bundle.manifest.task == "nano-sudoku"
    assert bundle.parity().labelled
    record = bundle.calibration()
    assert record is not None
    result = run("solve", output, "--rollouts", 2, "--format", "json")
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 5
