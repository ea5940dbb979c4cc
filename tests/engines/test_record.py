from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from trm_edge.engines.driver import Gpu
from trm_edge.engines.record import EngineRecord
from trm_edge.errors import EngineError
from trm_edge.files import hash_file

GPU = Gpu("Orin", "8.7", 8 << 30)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "step.onnx").write_bytes(b"graph")
    (tmp_path / "step.engine").write_bytes(b"engine")
    return tmp_path


@pytest.fixture
def record(folder: Path) -> EngineRecord:
    return EngineRecord(
        engine_sha256=hash_file(folder / "step.engine"),
        engine_size=6,
        graph_sha256=hash_file(folder / "step.onnx"),
        compiler="tensorrt",
        compiler_version="10.3.0",
        gpu="Orin",
        compute_capability="8.7",
        driver="12.6",
        batch=(1, 8, 32),
        workspace_mb=512,
        optimization_level=None,
        seconds=1.5,
        warnings=("no kernel in INT8",),
    )


def test_a_record_is_read_as_it_was_written(folder: Path, record: EngineRecord) -> None:
    path = folder / "build.json"
    record.write(path)
    assert json.loads(path.read_text())["format"] == "trm-edge.engine/1"
    assert EngineRecord.read(path) == record


def test_a_record_of_the_first_release_is_read(folder: Path, record: EngineRecord) -> None:
    path = folder / "build.json"
    path.write_text(json.dumps({"format": "trm-edge.engine/1", **asdict(record)}, indent=2))
    assert EngineRecord.read(path) == record


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "is missing, so nothing says what the engine was built for"),
        ("{", "is not valid JSON"),
        ("[]", "is not an engine record"),
        ('{"format": "trm-edge.bundle/1"}', "is not an engine record"),
        ('{"format": "trm-edge.engine/2"}', "reads trm-edge.engine/1"),
        ('{"format": "trm-edge.engine/1", "gpu": "x"}', "missing required field"),
    ],
)
def test_a_damaged_record_is_an_error(tmp_path: Path, content: str | None, text: str) -> None:
    path = tmp_path / "build.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(EngineError) as caught:
        EngineRecord.read(path)
    assert text in str(caught.value)
    if "/2" not in (content or ""):
        assert "Build the engine again with: trm-edge build" in str(caught.value)


def test_an_engine_that_fits_has_no_mismatch(folder: Path, record: EngineRecord) -> None:
    graph = folder / "step.onnx"
    engine = folder / "step.engine"
    assert record.mismatches(graph, engine, "10.3.0", GPU, "12.6") == []
    record.require_match(graph, engine, "10.3.0", GPU, "12.6", "trm-edge build")


def test_every_mismatch_is_named(folder: Path, record: EngineRecord) -> None:
    graph = folder / "step.onnx"
    engine = folder / "step.engine"
    other_gpu = replace(GPU, name="NVIDIA L4", compute_capability="8.9")
    engine.write_bytes(b"something else")
    graph.write_bytes(b"something else")
    with pytest.raises(EngineError) as caught:
        record.require_match(graph, engine, "10.7.0", other_gpu, "12.8", "trm-edge build my-bundle")
    for text in (
        "the step graph was",
        "the engine's file was",
        "tensorrt's version was 10.3.0 and is now 10.7.0",
        "the compute capability was 8.7 and is now 8.9",
        "the GPU was Orin and is now NVIDIA L4",
        "the driver was 12.6 and is now 12.8",
        "again with: trm-edge build my-bundle",
    ):
        assert text in str(caught.value)


def test_an_engine_compiled_without_a_gpu_runs_with_any_driver(
    folder: Path, record: EngineRecord
) -> None:
    record = replace(record, gpu="", driver="")
    graph = folder / "step.onnx"
    assert record.mismatches(graph, folder / "step.engine", "10.3.0", GPU, "13.0") == []
