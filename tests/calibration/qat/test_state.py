from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.calibration.qat.toys import FINETUNE, RECIPE, same_weights, toy_entries, tuned
from tests.toys import BASE, toy_model, toy_table
from trm_edge.calibration.qat.finetune import finetune
from trm_edge.errors import (
    CalibrationError,
)

pytestmark = pytest.mark.filterwarnings("ignore:fine-tuning on:trm_edge.errors.CalibrationWarning")


def test_a_state_of_another_fine_tuning_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    tuned(state=state)
    model = toy_model(BASE)
    table = toy_table(BASE)
    entries = toy_entries()
    with pytest.raises(
        CalibrationError,
        match=r"of another run: lr 0\.001, not 0\.1, seed 0, not 2\. Continue",
    ):
        finetune(model, table, entries, "int8", RECIPE, replace(FINETUNE, lr=0.1, seed=2), state)
    recipe = replace(RECIPE, activations="float")
    with pytest.raises(
        CalibrationError,
        match=r"qtype 'int8', not 'fp8', activations 'per_token_products', not 'float'\.",
    ):
        finetune(model, table, entries, "fp8", recipe, FINETUNE, state)
    with pytest.raises(CalibrationError, match="of another run: other weights"):
        finetune(toy_model(BASE, seed=1), table, entries, "int8", RECIPE, FINETUNE, state)
    with pytest.raises(CalibrationError, match="of another run: other puzzles"):
        finetune(model, table, entries[1:], "int8", RECIPE, FINETUNE, state)


@pytest.mark.parametrize("length", [0, 10, 2000, 0.5, 0.99])
def test_an_incomplete_state_is_refused(tmp_path: Path, length: float) -> None:
    state = tmp_path / "state.pt"
    tuned(replace(FINETUNE, steps=1), state)
    content = state.read_bytes()
    if length < 1:
        length *= len(content)
    state.write_bytes(content[: int(length)])
    with pytest.raises(
        CalibrationError, match=r"state\.pt is not a fine-tuning state .* Delete it to start again"
    ):
        tuned(replace(FINETUNE, steps=1), state)


def test_another_torch_file_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    torch.save(toy_model(BASE).state_dict(), state)
    with pytest.raises(
        CalibrationError, match=r"it has no format, expected 'trm-edge\.finetune/2'"
    ):
        tuned(state=state)


def test_a_state_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CalibrationError, match="a fine-tuning state cannot be saved in"):
        tuned(state=tmp_path / "file" / "state.pt")


def test_a_state_of_version_1_is_continued(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    tuned(state=state)
    saved = torch.load(state, weights_only=True)
    identity = saved["identity"]
    identity["kind"] = identity.pop("qtype")
    identity["how"] = identity.pop("finetune")
    saved["identity"] = json.dumps(identity)
    saved["format"] = "trm-edge.finetune/1"
    torch.save(saved, state)
    assert same_weights(tuned(state=state), tuned())


def test_a_state_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    torch.save({"format": "trm-edge.finetune/3"}, state)
    with pytest.raises(CalibrationError, match=r"reads trm-edge\.finetune/2\. Upgrade"):
        tuned(state=state)


@pytest.mark.parametrize("identity", ["null", "[]", "3", '"text"', "{}", None, [1], 3, "[" * 5000])
def test_an_identity_of_another_kind_is_refused(identity: object, tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    torch.save({"format": "trm-edge.finetune/2", "content": {}, "identity": identity}, state)
    with pytest.raises(CalibrationError, match=r"not a fine-tuning state that can be read"):
        tuned(state=state)


def test_a_state_without_an_identity_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    torch.save({"format": "trm-edge.finetune/2", "content": {}}, state)
    with pytest.raises(CalibrationError, match=r"'identity'\. Delete it to start again"):
        tuned(state=state)
