"""The calls that TensorRT receives for a step graph, in either version of its API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest

from tests.engines.fake_tensorrt import FakeModule, fake_tensorrt
from tests.toys import BASE, toy_model
from trm_edge.engines.builder import BuildOptions, BuiltEngine, build_engine, layer_information
from trm_edge.engines.compiler import Compiler
from trm_edge.errors import EngineError
from trm_edge.export.step_graph import step_graph

OPTIONS = BuildOptions(batch=(1, 2, 4), workspace_mb=512)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graph") / "step.onnx"
    onnx.save(step_graph(toy_model(BASE)), path)
    return path


def build(
    graph: Path,
    module: FakeModule,
    options: BuildOptions = OPTIONS,
    timing_cache: bytes | None = None,
) -> BuiltEngine:
    compiler = Compiler("tensorrt", module)
    return build_engine(graph, BASE, "float32", options, compiler, timing_cache)


@pytest.mark.parametrize("version", ["10.3.0", "10.16.2", "11.4.1"])
def test_either_api_builds_a_strongly_typed_network(graph: Path, version: str) -> None:
    module = fake_tensorrt(version)
    built = build(graph, module)
    assert built.content == b"engine of " + version.encode()
    assert built.warnings == ()
    assert module.calls["network_flags"] == 2
    assert module.calls["flags_cleared"] == ["TF32"]
    assert module.calls["workspace"] == 512 << 20
    shapes = module.calls["shapes"]
    assert shapes["tokens"] == ((1, BASE.seq_len), (2, BASE.seq_len), (4, BASE.seq_len))
    assert shapes["reset"] == ((1,), (2,), (4,))
    assert set(shapes) == {node.name for node in module.calls["graph"].graph.input}


def test_inputs_for_noise_get_shapes(tmp_path: Path) -> None:
    path = tmp_path / "noisy.onnx"
    onnx.save(step_graph(toy_model(BASE), noise=True), path)
    module = fake_tensorrt("10.3.0")
    build_engine(path, BASE, "float32", OPTIONS, Compiler("tensorrt", module), noise=True)
    shapes = module.calls["shapes"]
    assert shapes["noise_window"] == shapes["noise_sigma"] == ((1,), (2,), (4,))
    assert set(shapes) == {node.name for node in module.calls["graph"].graph.input}


def test_the_timing_cache_of_this_device_is_used_and_another_is_not(graph: Path) -> None:
    module = fake_tensorrt("10.3.0")
    built = build(graph, module, timing_cache=b"this device, earlier")
    assert module.calls["timing_cache"] == b"this device, earlier"
    assert built.timing_cache == b"this device, earlier|measured"
    built = build(graph, module, timing_cache=b"another device")
    assert module.calls["timing_cache"] == b""
    assert built.timing_cache == b"|measured"


def test_warnings_of_this_build_are_recorded(graph: Path) -> None:
    def logs(logger: Any, severity: Any) -> None:
        logger.log(severity.INFO, "fusing")
        logger.log(severity.WARNING, "no kernel in INT8")

    compiler = Compiler("tensorrt", fake_tensorrt("10.3.0", logs=logs))
    for _ in range(2):
        built = build_engine(graph, BASE, "float32", OPTIONS, compiler)
        assert built.warnings == ("no kernel in INT8",)


@pytest.mark.parametrize(
    ("fails", "texts"),
    [
        ("parse", ["the parser rejects the graph", "no importer for the operator Swish"]),
        ("build", ["the compiler failed", "could not find any implementation"]),
    ],
)
def test_a_failure_quotes_the_compiler(graph: Path, fails: str, texts: list[str]) -> None:
    with pytest.raises(EngineError) as caught:
        build(graph, fake_tensorrt("10.3.0", fails=fails))
    for text in texts:
        assert text in str(caught.value)


def test_an_engine_that_cannot_be_opened_is_an_error() -> None:
    compiler = Compiler("tensorrt", fake_tensorrt("10.3.0"))
    assert "Layers" in layer_information(compiler, b"engine of 10.3.0")
    with pytest.raises(EngineError, match="cannot open the engine that it has just built"):
        layer_information(compiler, b"something else")
