"""Simulated accuracy: a target's quantization, computed in float32 on the CPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.targets.test_target_graphs import H100, ORIN, PUZZLES, graph_inputs
from tests.toys import BASE, toy_table
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.evaluation.parity import compare
from trm_edge.evaluation.vectors import ParityVectors, record_vectors
from trm_edge.export.step_graph import step_graph
from trm_edge.targets.simulation import TargetSimulator
from trm_edge.targets.target_graphs import GraphInputs, target_graph


def float32_answers(inputs: GraphInputs, folder: Path) -> ParityVectors:
    path = folder / "float.onnx"
    onnx.save(step_graph(inputs.model), path)
    labels = np.full((len(PUZZLES), BASE.seq_len), 255, np.uint8)
    return record_vectors(OnnxRuntimeBackend(path, BASE), toy_table(BASE), PUZZLES, labels)


def test_targets_with_equal_quantization_are_measured_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = graph_inputs()
    simulator = TargetSimulator(inputs, toy_table(BASE), float32_answers(inputs, tmp_path))
    orin = simulator.accuracy(ORIN)
    assert orin.puzzles == len(PUZZLES)
    assert 0.5 < orin.carry_cosine_first <= 1
    monkeypatch.setattr(simulator, "_measure", lambda profile: pytest.fail("measured again"))
    assert simulator.accuracy(H100) == orin


def test_equals_parity_of_the_float32_graph(tmp_path: Path) -> None:
    inputs = graph_inputs()
    answers = float32_answers(inputs, tmp_path)
    path = tmp_path / "simulated.onnx"
    onnx.save(target_graph(inputs, replace(ORIN, carry="float32")), path)
    candidate = record_vectors(
        OnnxRuntimeBackend(path, BASE), toy_table(BASE), PUZZLES, answers.labels
    )
    report = compare(answers, candidate)
    simulated = TargetSimulator(inputs, toy_table(BASE), answers).accuracy(ORIN)
    assert simulated.drop_fixed == report.fixed.drop
    assert simulated.halting_agreement == report.halting.agreement
