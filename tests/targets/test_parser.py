"""Every kind of graph, checked against the parsers of the JetPacks that no test can run."""

from __future__ import annotations

import pytest
from onnx import ModelProto, TensorProto, helper

from tests.calibration.toy_calibration import toy_calibration
from tests.toys import VARIANTS, toy_model
from trm_edge.calibration.qdq import quantize_graph
from trm_edge.calibration.recipe import QType
from trm_edge.errors import ExportError
from trm_edge.export.step_graph import step_graph
from trm_edge.targets.parser import require_readable, unreadable
from trm_edge.targets.profiles import load_profile

VERSIONS = ("10.3", "10.13", "10.16", "11.4")  # JetPack 6.2, 7.0, 7.2 and 7.2.2


@pytest.mark.filterwarnings("ignore::trm_edge.errors.CalibrationWarning")
@pytest.mark.parametrize("name", VARIANTS)
def test_every_graph_is_read_by_every_version(name: str) -> None:
    qtypes: tuple[QType, ...] = ("int8", "fp8")
    model = toy_model(VARIANTS[name])
    graphs = [step_graph(model), step_graph(model, "float16")]
    for qtype in qtypes:
        calibration = toy_calibration(VARIANTS[name], qtype)
        graphs.append(quantize_graph(step_graph(calibration.model), calibration.layers, qtype))
    for graph in graphs:
        for version in VERSIONS:
            assert unreadable(graph, version) == []


def single_node(op: str, opset: int = 19, domain: str = "") -> ModelProto:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    node = helper.make_node(op, ["x"], ["y"], domain=domain)
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([node], "g", [value], [result])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


@pytest.mark.parametrize(
    ("graph", "version", "problem"),
    [
        (
            single_node("Attention", 20),
            "10.13",
            "the operator Attention, which the parser reads from 10.14",
        ),
        (single_node("Swish"), "10.16", "the operator Swish, which the parser reads from 11.0 on"),
        (single_node("Abs", 23), "10.13", "opset 23, but the parser reads up to 20"),
        (single_node("NonMaxSuppressionV9"), "11.4", "the operator NonMaxSuppressionV9"),
        (single_node("Gelu", domain="com.microsoft"), "11.4", "the operator com.microsoft.Gelu"),
    ],
)
def test_unreadable_parts_are_named(graph: ModelProto, version: str, problem: str) -> None:
    assert any(problem in text for text in unreadable(graph, version))


def test_later_versions_read_more() -> None:
    assert not unreadable(single_node("Attention", 23), "10.16")


def test_a_target_requires_its_oldest_version_to_read_the_graph() -> None:
    with pytest.raises(ExportError, match=r"jetson-orin-nano may run TensorRT 10\.3.*RMSNorm"):
        require_readable(single_node("RMSNormalization"), load_profile("jetson-orin-nano"))
