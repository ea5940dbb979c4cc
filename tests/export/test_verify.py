"""The check that the step graph computes what PyTorch computes."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from tests.toys import BASE, toy_model, toy_table, toy_tokens
from trm_edge.calibration.trajectories import linear_layers
from trm_edge.errors import ExportError
from trm_edge.export.step_graph import step_graph
from trm_edge.export.verify import verify_step_graph
from trm_edge.puzzle import Puzzle


def test_verify_finds_a_changed_weight(tmp_path: Path) -> None:
    model = toy_model(BASE)
    path = tmp_path / "step.onnx"
    onnx.save(step_graph(model), path)
    puzzles = [Puzzle(tokens) for tokens in toy_tokens(BASE, 2)]
    assert verify_step_graph(path, model, toy_table(BASE), puzzles) < 1e-4
    linear_layers(model)["layers.1.mlp.down_proj"].weight *= 1.5
    with pytest.raises(ExportError, match=r"differs from PyTorch in z_[HL]_next at step 1"):
        verify_step_graph(path, model, toy_table(BASE), puzzles)
