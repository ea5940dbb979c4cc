"""The published code's own numbers, reproduced by the importer and by the exported graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from trm_edge.backends.base import Backend
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.evaluation.vectors import halting_steps
from trm_edge.export.checkpoint import Checkpoint, load_checkpoint
from trm_edge.export.step_graph import step_graph
from trm_edge.export.torch_backend import TorchBackend
from trm_edge.loop.halting import HaltingRule

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
CASES = (
    "sudoku_mlp",
    "sudoku_att",
    "arc_att",
    "hrm_sudoku",
    "hrm_learned",  # learned positions, eight L cycles
    "hrm_trm_repo",  # HRM as the TRM repository carries it, with mlp_t
    "singlez",
    "hier6",
    "baseline",
    "nano_sudoku4_mlp",
)


def backend_of(name: str, checkpoint: Checkpoint, folder: Path) -> Backend:
    if name == "torch":
        return TorchBackend(checkpoint.model)
    path = folder / "step.onnx"
    onnx.save(step_graph(checkpoint.model), path)
    return OnnxRuntimeBackend(path, checkpoint.config)


@pytest.mark.parametrize("backend_name", ["torch", "onnxruntime"])
@pytest.mark.parametrize("name", CASES)
def test_reproduces_the_published_code(name: str, backend_name: str, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(GOLDEN / name)
    expected = np.load(GOLDEN / name / "expected.npz")
    tokens = expected["inputs"].astype(np.int32)
    embedding = None
    if checkpoint.puzzle_embeddings is not None:
        embedding = checkpoint.puzzle_embeddings[expected["puzzle_identifiers"]]
    slots = np.arange(len(tokens))
    q_halt = []
    q_continue = []
    predictions = []
    logits = []
    with backend_of(backend_name, checkpoint, tmp_path) as backend:
        backend.start(len(tokens))
        for step in range(len(expected["q_halt"])):
            reset = np.full(len(tokens), step == 0)
            halting_logits = backend.step(tokens, embedding, reset)
            q_halt.append(halting_logits.q_halt)
            q_continue.append(halting_logits.q_continue)
            predictions.append(backend.predictions(slots))
            logits.append(backend.logits(slots))
            if step == 0:
                first_carry = dict(
                    zip(checkpoint.config.recursion.states, backend.carry(), strict=True)
                )
    for state, value in first_carry.items():
        if f"{state}_step1" in expected:
            np.testing.assert_allclose(value[:1], expected[f"{state}_step1"], atol=1e-3)
    np.testing.assert_allclose(logits[0], expected["logits_step1"], atol=1e-4)
    np.testing.assert_allclose(q_halt[0], expected["q_halt"][0], atol=1e-4)
    np.testing.assert_allclose(q_halt, expected["q_halt"], atol=2e-3)
    if "q_continue" in expected:  # nano-trm has none
        np.testing.assert_allclose(q_continue, expected["q_continue"], atol=2e-3)
    assert (np.array(predictions) == expected["preds"]).mean() >= 0.999
    steps = halting_steps(
        HaltingRule.from_config(checkpoint.config), np.array(q_halt).T, np.array(q_continue).T
    )
    np.testing.assert_array_equal(steps, expected["halt_steps"])
