"""Checkpoints and configurations as people have them: read, or named for what they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.bugs import bug_run
from tests.logs import logged
from trm_edge.errors import CheckpointError, TrmEdgeError
from trm_edge.export.checkpoint import load_checkpoint


@pytest.mark.parametrize(
    "name",
    [
        "good_run",
        "config_arch_file_alone",
        "config_eps_1e-5",
        "config_extra_dropout_zero",
        "config_interpolation",
        "dataset_json_bom",
        "prefix_model_orig_mod",
        "prefix_twice_compiled",
        "wrapped_model_optimizer",
    ],
)
def test_is_read(name: str, tmp_path: Path) -> None:
    loaded = load_checkpoint(bug_run(name, tmp_path))
    assert loaded.config.hidden_size == 16
    assert loaded.config.puzzle_emb_ndim == 16
    assert loaded.config.rms_norm_eps == 1e-5
    assert loaded.parameters == 27010


def test_of_averaged_and_raw_the_averaged_is_taken(tmp_path: Path) -> None:
    run = bug_run("ema_and_raw", tmp_path)
    with logged() as lines:
        loaded = load_checkpoint(run)
    assert "info: took the averaged weights, model_state_dict, and not the raw ones" in lines
    assert loaded.averaged is True
    content = torch.load(run / "step_1000.pt", weights_only=True)
    expected = content["model_state_dict"]["model.inner.lm_head.weight"]
    torch.testing.assert_close(loaded.model.lm_head.weight.data, expected.float())


def test_the_number_of_identifiers_is_that_of_the_weights(tmp_path: Path) -> None:
    with logged() as lines:
        loaded = load_checkpoint(bug_run("more_identifiers_in_dataset", tmp_path))
    assert loaded.config.num_puzzle_identifiers == 1
    (line,) = [line for line in lines if line.startswith("warning: ")]
    assert "num_puzzle_identifiers is 5, but the weights have 1, which is taken" in line


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("lfs_pointer", CheckpointError, "Git LFS pointer.*Run git lfs pull"),
        ("empty_file", CheckpointError, "step_1000 is empty"),
    ],
)
def test_is_named(name: str, error: type[TrmEdgeError], message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message) as caught:
        load_checkpoint(bug_run(name, tmp_path))
    assert "weights_only" not in str(caught.value)
