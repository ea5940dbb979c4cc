"""Simulated accuracy: a target's quantization, computed in float32 on the CPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.targets.test_target_graphs import CPU, H100, ORIN, PUZZLES, graph_inputs
from tests.toys import BASE, toy_table
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.evaluation.parity import compare
from trm_edge.evaluation.recording import record_vectors
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.export.step_graph import step_graph
from trm_edge.profile import Int8Ranges, Precision
from trm_edge.targets.simulation import TargetSimulator, simulated_accuracy
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
    orin = simulator.report(ORIN)
    assert orin.puzzles == len(PUZZLES)
    assert 0.5 < orin.carry.by_step[0] <= 1
    monkeypatch.setattr(simulator, "_measure", lambda profile: pytest.fail("measured again"))
    assert simulator.report(H100) is orin
    assert simulator.report(CPU) is orin


def test_other_ranges_are_measured_by_themselves(tmp_path: Path) -> None:
    inputs = graph_inputs()
    simulator = TargetSimulator(inputs, toy_table(BASE), float32_answers(inputs, tmp_path))
    static = simulator.report(replace(ORIN, int8_ranges="per_layer"))
    assert static.carry.by_step != simulator.report(ORIN).carry.by_step


@pytest.mark.parametrize("ranges", ["per_token_products", "per_layer"])
@pytest.mark.parametrize("precision", ["int8", "fp8"])
def test_equals_parity_of_the_float32_graph(
    precision: Precision, ranges: Int8Ranges, tmp_path: Path
) -> None:
    inputs = graph_inputs(precision)
    profile = replace(H100, int8_ranges=ranges)
    answers = float32_answers(inputs, tmp_path)
    path = tmp_path / "simulated.onnx"
    onnx.save(target_graph(inputs, replace(profile, carry="float32")), path)
    candidate = record_vectors(
        OnnxRuntimeBackend(path, BASE), toy_table(BASE), PUZZLES, answers.labels
    )
    report = compare(answers, candidate)
    simulator = TargetSimulator(inputs, toy_table(BASE), answers)
    simulated = simulated_accuracy(simulator.report(profile))
    one_puzzle = 1 / len(PUZZLES)  # operators that are fused add in another order
    assert simulated.drop_fixed == pytest.approx(report.fixed.drop, abs=100 * one_puzzle)
    assert simulated.halting_agreement == pytest.approx(report.halting.agreement, abs=one_puzzle)
    assert simulated.carry_cosine_first == pytest.approx(report.carry.by_step[0], abs=1e-3)
