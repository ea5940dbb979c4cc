"""The step graph in ONNX Runtime's own operators; test_step_graph.py compares its outputs."""

from __future__ import annotations

import pytest

from tests.toys import VARIANTS, toy_model
from trm_edge.export.onnxruntime_graph import onnxruntime_step_graph


@pytest.mark.parametrize("name", ["mlp", "attention-rope"])
def test_onnx_runtimes_graph_has_nothing_between_its_products_that_is_not_fused(name: str) -> None:
    graph = onnxruntime_step_graph(toy_model(VARIANTS[name])).graph
    operators = {node.op_type for node in graph.node}
    assert not operators & {"Split", "Softmax", "Pow", "ReduceMean", "Sqrt", "Sigmoid"}
    assert "SkipSimplifiedLayerNormalization" in operators
    assert ("MultiHeadAttention" in operators) == (name == "attention-rope")
