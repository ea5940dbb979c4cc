"""A step graph's file: checked when it is read, and the same bytes each time."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.toys import BASE, toy_model
from trm_edge.backends.graph_file import GraphFile
from trm_edge.errors import BackendError
from trm_edge.export.step_graph import step_graph


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "step.onnx"
    path.write_bytes(step_graph(toy_model(BASE)).SerializeToString())
    return path


def test_a_graph_that_is_replaced_is_read_as_it_was(graph: Path, tmp_path: Path) -> None:
    content = graph.read_bytes()
    file = GraphFile(graph, sha256=hashlib.sha256(content).hexdigest(), trusted=False)
    assert file.read(BASE, "float32") == content
    assert file.size == len(content)
    other = tmp_path / "other"
    other.write_bytes(b"other")
    other.replace(graph)
    assert file.read(BASE, "float32") == content
    file.close()
    file.close()
    with pytest.raises(BackendError, match=r"step\.onnx was changed after the bundle was opened"):
        file.read(BASE, "float32")
    file.close()


def test_what_cannot_be_read_or_is_not_safe(graph: Path, tmp_path: Path) -> None:
    missing = GraphFile(tmp_path / "nowhere", sha256=None, trusted=True)
    with pytest.raises(BackendError, match="nowhere cannot be read: No such file"):
        missing.read(BASE, "float32")
    graph.write_bytes(b"\xff" * 100)
    file = GraphFile(graph, sha256=None, trusted=False)
    with pytest.raises(BackendError, match=r"step\.onnx"):
        file.read(BASE, "float32")
    file.close()
