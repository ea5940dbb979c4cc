"""State dictionaries inside wrappers: found, chosen between averaged and raw, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.logs import logged
from tests.toys import BASE, toy_model, write_run
from trm_edge.errors import CheckpointError
from trm_edge.export.checkpoint import load_checkpoint


def raw_state(prefix: str = "model.inner.") -> dict[str, Tensor]:
    state = {f"{prefix}{name}": value for name, value in toy_model(BASE, 1).state_dict().items()}
    state[f"{prefix}puzzle_emb.weights"] = torch.zeros(3, 32)
    return state


def averaged_state(prefix: str = "inner.") -> dict[str, Tensor]:
    """What an averaging helper keeps: parameters only, neither initial states nor the table."""
    model = toy_model(BASE, 2)
    return {f"{prefix}{name}": value.detach() for name, value in model.named_parameters()}


WRAPPERS: list[dict[str, Any]] = [
    {"model": raw_state(), "ema": {"shadow": averaged_state()}},
    {"model": raw_state(), "ema_model": averaged_state(), "step": 3},
    {"raw_model_state_dict": raw_state(), "model_state_dict": averaged_state()},
    {"state": {"model": raw_state(), "shadow": averaged_state()}, "optimizer": {"state": {}}},
    {**raw_state("model."), **averaged_state("ema.")},
]


@pytest.mark.parametrize("content", WRAPPERS, ids=range(len(WRAPPERS)))
def test_the_averaged_weights_are_taken_and_completed(
    content: dict[str, Any], tmp_path: Path
) -> None:
    path = write_run(tmp_path, BASE)
    torch.save(content, path)
    with logged() as lines:
        loaded = load_checkpoint(path)
    assert loaded.averaged is True
    torch.testing.assert_close(
        loaded.model.lm_head.weight.data, toy_model(BASE, 2).lm_head.weight.data
    )
    torch.testing.assert_close(loaded.model.H_init, toy_model(BASE, 1).H_init)
    assert any("took the averaged weights" in line for line in lines)
    assert any("took what is not averaged from" in line for line in lines)


def test_torch_s_averaged_model(tmp_path: Path) -> None:
    path = write_run(tmp_path, BASE)
    torch.save({"n_averaged": torch.tensor(3), **raw_state("module.")}, path)
    assert load_checkpoint(path).averaged is True


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": raw_state(), "b": raw_state()}, r"holds several models: a, b\. Save the one"),
        ([raw_state()], "holds a list"),
        ({**raw_state(), "stray": torch.zeros(1)}, "these do not: stray"),
        (dict[Any, Any](raw_state()) | {3: torch.zeros(1)}, "these do not: 3"),
        ({**raw_state(), "model.inner.x": 3}, "model.inner.x holds a int"),
        (
            {**raw_state(), "model.inner.\x1b[31m": torch.zeros(1)},
            r"\\x1b\[31m \(1,\) has no place",
        ),
        ({**raw_state(), "model.inner.H_init": torch.zeros(1).expand(10**12)}, "Expanded tensors"),
        ({**raw_state(), "model.inner.H_init": torch.zeros(32).to_sparse()}, "plain values were"),
        ({"input_embed.weight": torch.zeros(1), "to_pred.weight": torch.zeros(1)}, "lucidrains"),
    ],
)
def test_what_is_refused(content: object, message: str, tmp_path: Path) -> None:
    path = write_run(tmp_path, BASE)
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(path)
    assert "\x1b" not in str(caught.value)


def test_lightning_s_own_averaging(tmp_path: Path) -> None:
    """Its callback saves the averaged weights as ``state_dict``, and the raw ones beside it."""
    path = write_run(tmp_path, BASE)
    averaged = {f"model.{name}": value for name, value in toy_model(BASE, 2).state_dict().items()}
    averaged["model.puzzle_emb.weights"] = torch.zeros(3, 32)
    content = {"state_dict": averaged, "current_model_state": raw_state("model."), "loops": {}}
    torch.save(content, path)
    loaded = load_checkpoint(path)
    assert loaded.averaged is True
    torch.testing.assert_close(
        loaded.model.lm_head.weight.data, toy_model(BASE, 2).lm_head.weight.data
    )


@pytest.mark.parametrize("outer", ["model", "state_dict", "model_state_dict", "net"])
@pytest.mark.parametrize("prefix", ["module._orig_mod.model.inner.", "_orig_mod.module."])
def test_wrapped_and_prefixed_in_any_way(outer: str, prefix: str, tmp_path: Path) -> None:
    path = write_run(tmp_path, BASE)
    optimizer = {"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-4}]}
    torch.save({outer: raw_state(prefix), "optimizer": optimizer, "step": 7}, path)
    assert load_checkpoint(path).config == BASE
