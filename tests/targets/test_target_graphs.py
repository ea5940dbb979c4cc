from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from tests.toys import BASE, VARIANTS, toy_model, toy_table, toy_tokens
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.calibration.calibrate import calibrate
from trm_edge.calibration.recipe import CalibrationRecipe, QType
from trm_edge.errors import CalibrationError
from trm_edge.evaluation.parity import compare
from trm_edge.evaluation.vectors import ParityVectors, record_vectors
from trm_edge.export.step_graph import step_graph
from trm_edge.profile import Precision
from trm_edge.puzzle import Puzzle
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.target_graphs import GraphInputs, TargetSimulator, target_graph

CPU, ORIN, H100 = (load_profile(name) for name in ("cpu", "jetson-orin-nano", "h100"))
PUZZLES = [Puzzle(row) for row in toy_tokens(BASE, 8)]


def graph_inputs(precision: Precision = "int8", variant: str = "mlp") -> GraphInputs:
    model, table = toy_model(VARIANTS[variant]), toy_table(VARIANTS[variant])
    qtype: QType = "fp8" if precision == "fp8" else "int8"
    recipe = replace(CalibrationRecipe.static(qtype), puzzles=4)
    ready = calibrate(model, table, PUZZLES, qtype, recipe)
    return GraphInputs(ready.model, precision, qtype, ready.layers)


def reference(model_of: GraphInputs, folder: Path) -> ParityVectors:
    path = folder / "float.onnx"
    onnx.save(step_graph(model_of.model), path)
    backend = OnnxRuntimeBackend(path, BASE)
    labels = np.full((len(PUZZLES), BASE.seq_len), 255, np.uint8)
    return record_vectors(backend, toy_table(BASE), PUZZLES, labels)


def operators(graph: onnx.ModelProto) -> set[str]:
    return {node.op_type for node in graph.graph.node}


def test_one_calibration_rounds_by_rows_on_a_cpu_and_by_layer_on_a_gpu() -> None:
    both = graph_inputs()
    cpu, gpu = target_graph(both, CPU), target_graph(both, ORIN)
    assert "ReduceMax" in operators(cpu)
    assert "ReduceMax" not in operators(gpu)
    ours, theirs = (
        {
            tensor.name: numpy_helper.to_array(tensor)
            for tensor in graph.graph.initializer
            if tensor.name.startswith("layers.") and tensor.data_type == TensorProto.INT8
        }
        for graph in (cpu, gpu)
    )
    assert len(theirs) == 8
    for name, codes in theirs.items():  # the CPU has gate and up apart
        parts = [array for part, array in ours.items() if part.startswith(name)]
        assert np.array_equal(np.concatenate(parts, axis=1), codes)


@pytest.mark.parametrize("precision", ["int8", "fp8"])
@pytest.mark.parametrize("variant", ["mlp", "attention-rope"])
def test_a_gpu_computes_and_scales_in_float16(
    precision: Precision, variant: str, tmp_path: Path
) -> None:
    given = graph_inputs(precision, variant)
    graph = target_graph(given, H100)
    scales = [t for t in graph.graph.initializer if re.search(r"\.s(_in)?$", t.name)]
    assert scales
    assert {tensor.data_type for tensor in scales} == {TensorProto.FLOAT16}
    same = replace(H100, carry="float32")
    wide = {t.name: t for t in target_graph(given, same).graph.initializer}
    for tensor in scales:
        if not tensor.name.endswith(".s_in"):
            ours, theirs = numpy_helper.to_array(tensor), numpy_helper.to_array(wide[tensor.name])
            np.testing.assert_allclose(ours.astype(np.float32), theirs, rtol=1e-3)
    # It runs, and its first step is near that of the float32 twin.
    config = VARIANTS[variant]
    tokens, table = toy_tokens(config, 4), toy_table(config)
    assert table is not None
    outputs = []
    for carry, profile in (("float16", H100), ("float32", replace(H100, carry="float32"))):
        path = tmp_path / f"{carry}.onnx"
        onnx.save(target_graph(given, profile), path)
        with OnnxRuntimeBackend(path, config, carry=carry) as backend:  # type: ignore[arg-type]
            backend.start(4)
            backend.step(tokens, table[np.zeros(4, int)], np.ones(4, bool))
            outputs.append(np.concatenate([part.ravel() for part in backend.carry()]))
    half, full = outputs
    cosine = float(half @ full / np.linalg.norm(half) / np.linalg.norm(full))
    assert cosine > 0.99


def test_float32_stays_float32_and_float16_is_half_on_every_target() -> None:
    model = toy_model(BASE)
    elements: dict[Precision, int] = {"fp32": TensorProto.FLOAT, "fp16": TensorProto.FLOAT16}
    for precision, element in elements.items():
        for profile in (CPU, ORIN):
            graph = target_graph(GraphInputs(model, precision, None, {}), profile)
            kinds = {t.name: t.data_type for t in graph.graph.initializer}
            assert kinds["layers.0.mlp.down_proj"] == element


def test_twins_that_are_alike_are_measured_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = graph_inputs()
    answers = reference(both, tmp_path)
    twins = TargetSimulator(both, toy_table(BASE), answers)
    first = twins.accuracy(ORIN)
    assert first.puzzles == len(PUZZLES)
    assert 0.5 < first.carry_cosine_first <= 1
    monkeypatch.setattr(twins, "_measure", lambda profile: pytest.fail("measured again"))
    assert twins.accuracy(H100) == first


def test_a_scale_that_float16_cannot_hold_is_refused() -> None:
    given = graph_inputs()
    name = "layers.0.mlp.down_proj"
    tiny = replace(given.layers[name], weight_scales=given.layers[name].weight_scales * 1e-7)
    spoiled = replace(given, layers={**given.layers, name: tiny})
    with pytest.raises(CalibrationError, match=r"down_proj has scales .* do not fit into float16"):
        target_graph(spoiled, ORIN)


def test_compare_is_what_the_twin_reports(tmp_path: Path) -> None:
    both = graph_inputs()
    answers = reference(both, tmp_path)
    path = tmp_path / "twin.onnx"
    onnx.save(target_graph(both, replace(ORIN, carry="float32")), path)
    candidate = record_vectors(
        OnnxRuntimeBackend(path, BASE), toy_table(BASE), PUZZLES, answers.labels
    )
    report = compare(answers, candidate)
    twin = TargetSimulator(both, toy_table(BASE), answers).accuracy(ORIN)
    assert twin.drop_fixed == report.fixed.drop
    assert twin.halting_agreement == report.halting.agreement


@pytest.mark.parametrize("variant", ["mlp", "attention-rope"])
def test_on_a_cpu_rows_that_a_norm_has_scaled_have_one_range(variant: str) -> None:
    given = graph_inputs(variant=variant)
    graph = target_graph(given, CPU).graph
    by_row = {node.name.removesuffix(".max") for node in graph.node if node.op_type == "ReduceMax"}
    assert {name.rpartition(".")[2] for name in by_row} <= {"down", "out"}
    passes = BASE.H_cycles * (BASE.L_cycles + 1) * BASE.L_layers
    assert len(by_row) == 2 * passes  # of each block's four or so matrices, two
    # Parts of one matrix share their quantized input.
    quantized = sum(node.op_type == "QuantizeLinear" for node in graph.node)
    assert quantized == 4 * passes


@pytest.mark.parametrize("variant", ["mlp", "attention-rope"])
def test_onnx_runtime_computes_every_product_of_a_cpus_graph_in_integers(
    variant: str, tmp_path: Path
) -> None:
    import onnxruntime as ort

    graph = target_graph(graph_inputs(variant=variant), CPU)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "fused.onnx")
    ort.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    fused = [node.op_type for node in onnx.load(tmp_path / "fused.onnx").graph.node]
    products = sum(node.op_type == "MatMul" for node in graph.graph.node) - 1  # the head's
    assert fused.count("MatMulIntegerToFloat") == products
    assert "DequantizeLinear" not in fused
