from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.toys import BASE, write_run
from trm_edge.config import ModelConfig
from trm_edge.errors import CheckpointError, ConfigError
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.export.model import RecursiveModel
from trm_edge.export.state_dict import SENTINEL
from trm_edge.export.weight_checks import (
    TABLE,
    check_against_weights,
    check_bounds,
    visible_settings,
)

PATH = Path("step_1")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> ModelConfig:
    return load_checkpoint(write_run(tmp_path_factory.mktemp("run"), BASE)).config


def weights_of(config: ModelConfig) -> dict[str, Tensor]:
    """Tensors of the right shapes that hold nothing."""
    with torch.device("meta"):
        state = dict(RecursiveModel(config).state_dict())
        if config.puzzle_emb_ndim:
            state[TABLE] = torch.empty(config.num_puzzle_identifiers, config.puzzle_emb_ndim)
    return state


def problem(config: ModelConfig, state: dict[str, Tensor]) -> str:
    with pytest.raises(CheckpointError) as caught:
        check_against_weights(config, state, PATH, "Pass the right file.")
    message = str(caught.value)
    assert message.endswith("\nPass the right file.")
    return message


# --- visible settings --------------------------------------------------------------------------


def test_settings_that_the_weights_show_are_those_of_the_model(config: ModelConfig) -> None:
    settings = visible_settings(weights_of(config))
    assert len(settings) >= 5
    for name, value in settings.items():
        assert value == getattr(config, name), name


def test_layers_are_counted_by_their_numbers_and_not_by_their_order() -> None:
    state = {SENTINEL: torch.empty(11, 64)}
    for number in (10, 2, 10, 0):
        state[f"L_level.layers.{number}.mlp.{len(state)}"] = torch.empty(1)
    assert visible_settings(state) == {
        "vocab_size": 11,
        "hidden_size": 64,
        "L_layers": 3,
        "mlp_t": False,
    }


def test_tensors_of_the_wrong_rank_show_nothing() -> None:
    state = {SENTINEL: torch.empty(11), TABLE: torch.empty(3, 4, 5)}
    assert visible_settings(state) == {"mlp_t": False}


# --- bounds ------------------------------------------------------------------------------------


def test_the_models_own_sizes_are_within_bounds(config: ModelConfig) -> None:
    check_bounds(config, weights_of(config), PATH)


@pytest.mark.parametrize(
    ("setting", "value", "limit"),
    [
        ("hidden_size", 1 << 40, "these weights allow"),
        ("vocab_size", 1 << 40, "these weights allow"),
        ("L_layers", 10_000, "these weights allow"),
        ("num_heads", 1 << 40, "these weights allow"),
        ("seq_len", 1 << 30, "is supported"),
        ("H_cycles", 1 << 20, "is supported"),
        ("L_cycles", 1 << 20, "is supported"),
        ("halt_max_steps", 1 << 20, "is supported"),
        ("num_puzzle_identifiers", 1 << 40, "is supported"),
    ],
)
def test_sizes_that_cannot_be_are_refused_before_they_are_made(
    config: ModelConfig, setting: str, value: int, limit: str
) -> None:
    state = weights_of(config)
    # Past the checks of the configuration itself, as a hostile file would like to be.
    object.__setattr__(enlarged := replace(config), setting, value)
    with pytest.raises(ConfigError, match=rf"{PATH}: .*{setting}.* gives .*{limit}"):
        check_bounds(enlarged, state, PATH)


# --- names and shapes --------------------------------------------------------------------------


def test_weights_that_fit_pass(config: ModelConfig) -> None:
    check_against_weights(config, weights_of(config), PATH, "")


def test_a_missing_tensor_is_named(config: ModelConfig) -> None:
    state = weights_of(config)
    name = next(name for name in state if name.startswith("L_level.layers.0."))
    del state[name]
    assert f"\n  {name} is missing (" in problem(config, state)


def test_a_surplus_tensor_is_named_with_its_shape(config: ModelConfig) -> None:
    state = weights_of(config)
    state["L_level.layers.9.mlp.extra"] = torch.empty(2, 3)
    message = problem(config, state)
    expected = f"extra (2, 3) has no place (L_layers is {config.L_layers})"
    assert f"\n  L_level.layers.9.mlp.{expected}" in message


def test_a_tensor_of_another_shape_is_named_with_both(config: ModelConfig) -> None:
    state = weights_of(config)
    before = tuple(state[SENTINEL].shape)
    state[SENTINEL] = torch.empty(5, before[1])
    message = f"{SENTINEL} has shape {(5, before[1])}, but the configuration gives {before}"
    assert message in problem(config, state)


def test_what_is_missing_comes_first_and_the_list_is_bounded(config: ModelConfig) -> None:
    state = weights_of(config)
    count = len(state)
    state = {f"other.{number}": torch.empty(1) for number in range(3)}
    lines = problem(config, state).splitlines()
    assert all("is missing" in line for line in lines[1:7])
    assert lines[7] == f"  and {count + 3 - 6} more"


def test_a_name_from_a_foreign_file_is_shortened(config: ModelConfig) -> None:
    state = weights_of(config)
    state["\x1b[31m" + "x" * 500] = torch.empty(1)
    message = problem(config, state)
    assert "\x1b" not in message
    assert "x" * 100 not in message


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("L_level.layers.0.self_attn.q.weight", "mlp_t is"),
        ("L_level.layers.0.mlp_t.up.weight", "mlp_t is"),
        ("embed_pos.embedding_weight", "pos_encodings is"),
        ("H_level.layers.0.mlp.up.weight", "H_layers is"),
        ("Z_init", "the architecture is"),
    ],
)
def test_the_setting_that_decides_about_a_tensor_is_named(
    config: ModelConfig, name: str, hint: str
) -> None:
    state = weights_of(config)
    assert name not in state
    state[name] = torch.empty(1)
    assert f"{name} (1,) has no place ({hint} " in problem(config, state)
