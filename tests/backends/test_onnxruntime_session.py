"""What loads a graph in ONNX Runtime."""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
import pytest

from tests.toys import BASE, toy_model
from trm_edge.backends.onnxruntime_session import (
    CPU_PROVIDER,
    available_providers,
    check_contract,
    open_session,
    runtime_version,
)
from trm_edge.errors import BackendError
from trm_edge.export.step_graph import step_graph
from trm_edge.step import step_inputs, step_outputs

GRAPH = Path("step.onnx")


def test_providers_of_this_machine() -> None:
    assert CPU_PROVIDER in available_providers()


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert available_providers() == ()
    with pytest.raises(BackendError, match="Install it with: pip install onnxruntime"):
        runtime_version()


def test_a_graph_keeps_the_step_contract() -> None:
    content = step_graph(toy_model(BASE)).SerializeToString()
    session = open_session(content, GRAPH, CPU_PROVIDER, 1)
    inputs = step_inputs(BASE, "float32")
    outputs = step_outputs(BASE, "float32")
    check_contract(session, GRAPH, inputs, outputs)
    with pytest.raises(BackendError, match=r"step.onnx breaks the step contract in its outputs"):
        check_contract(session, GRAPH, inputs, outputs[:-1])


def test_a_graph_that_cannot_be_loaded() -> None:
    empty = onnx.ModelProto().SerializeToString()
    with pytest.raises(BackendError, match=rf"{runtime_version()} cannot load step.onnx"):
        open_session(empty, GRAPH, CPU_PROVIDER, 1)
