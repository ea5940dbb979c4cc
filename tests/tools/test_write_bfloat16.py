"""The writer of models for the repository: half the size, the same settings, within 11 MB."""

from __future__ import annotations

import dataclasses
import runpy
from pathlib import Path
from typing import Any

import torch
from click.testing import CliRunner, Result

from tests.tools.scripts import ROOT
from tests.toys import BASE, toy_model, toy_table
from trm_edge.config import ModelConfig
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.training.run_folder import write_checkpoint

TRAINING = {"ema": True, "lr": 0.0007, "seed": 3}


def run_tool(*arguments: str | Path) -> Result:
    command: Any = runpy.run_path(str(ROOT / "tools/write_bfloat16.py"))["main"]
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def trained(folder: Path, config: ModelConfig, step: int = 700) -> Path:
    """A checkpoint with random weights, as the trainer writes it."""
    table = toy_table(config)
    assert table is not None
    write_checkpoint(folder, toy_model(config), torch.from_numpy(table), step, TRAINING)
    return folder


def test_it_is_the_same_model_rounded_to_bfloat16(tmp_path: Path) -> None:
    source = load_checkpoint(trained(tmp_path / "run", BASE))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "MODEL_CARD.md").write_text("# A card\n")
    result = run_tool(source.path, tmp_path / "model")
    assert result.exit_code == 0, result.output
    written = load_checkpoint(tmp_path / "model")
    assert written.weight_type == "bfloat16"
    assert written.config == source.config
    assert written.averaged is True
    assert written.path.name == "step_700"
    assert written.sha256 in result.output
    for rounded, value in zip(
        written.model.state_dict().values(), source.model.state_dict().values(), strict=True
    ):
        assert torch.equal(rounded, value.bfloat16().float())
    assert (tmp_path / "model" / "MODEL_CARD.md").read_text() == "# A card\n"
    for name in ("all_config.yaml", "dataset.json"):
        assert (tmp_path / "model" / name).read_text() == (tmp_path / "run" / name).read_text()


def test_the_published_width_fits_into_the_repository(tmp_path: Path) -> None:
    config = dataclasses.replace(
        BASE,
        hidden_size=512,
        num_heads=8,
        puzzle_emb_ndim=512,
        puzzle_emb_len=16,
        seq_len=81,
        vocab_size=11,
        num_puzzle_identifiers=1,
    )
    result = run_tool(trained(tmp_path / "run", config), tmp_path / "model")
    assert result.exit_code == 0, result.output
    assert 10.0 < (tmp_path / "model" / "step_700").stat().st_size / 1e6 < 11.0


def test_a_larger_model_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    source = trained(tmp_path / "run", BASE)
    result = run_tool(source, tmp_path / "model", "--max-mb", "0.001")
    assert result.exit_code == 2
    assert "at most 0.001 MB" in result.output
    assert not (tmp_path / "model").exists()


def test_weights_of_another_step_are_replaced_only_by_force(tmp_path: Path) -> None:
    """A folder with two steps would export the newer one, whichever was meant."""
    first = trained(tmp_path / "first", BASE, 900)
    second = trained(tmp_path / "second", BASE, 700)
    model = tmp_path / "model"
    assert run_tool(first, model).exit_code == 0
    result = run_tool(second, model)
    assert result.exit_code == 2
    assert "step_900 already" in result.output
    assert run_tool(second, model, "--force").exit_code == 0
    assert [path.name for path in model.glob("step_*")] == ["step_700"]


def test_a_name_without_a_step_is_refused(tmp_path: Path) -> None:
    source = trained(tmp_path / "run", BASE)
    (source / "step_700").rename(source / "best.pt")
    result = run_tool(source, tmp_path / "model")
    assert result.exit_code == 2
    assert "best.pt does not say the optimizer step" in result.output
