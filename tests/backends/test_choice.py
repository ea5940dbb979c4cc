from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import pytest

from tests.engines.fake_cuda import FakeCuda
from tests.engines.fake_runtime import fake_runtime
from tests.toys import BASE, toy_model
from trm_edge.backends.choice import Choice, choose
from trm_edge.backends.onnxruntime_cuda import OnnxRuntimeCudaBackend
from trm_edge.backends.tensorrt import TensorRTBackend
from trm_edge.config import ModelConfig
from trm_edge.engines.driver import DriverState, Gpu
from trm_edge.engines.record import ENGINE, RECORD, EngineRecord
from trm_edge.errors import EngineError
from trm_edge.export.step_graph import step_graph
from trm_edge.files import hash_file

ORIN = DriverState("12.6", (Gpu("Orin", "8.7", 8 << 30),))
NOTHING = DriverState(problem="no NVIDIA driver (libcuda.so.1) on this machine")


class FakeBundle:
    """As much of a bundle as the choice asks for."""

    def __init__(self, path: Path) -> None:
        self.path, self.config = path, BASE
        (path / "orin").mkdir()
        onnx.save(step_graph(toy_model(BASE)), path / "orin/step.onnx")

    @property
    def target(self) -> tuple[Any, ModelConfig]:
        return SimpleNamespace(step="orin/step.onnx", carry="float32"), self.config

    def build(self, **other: Any) -> None:
        """Put an engine beside the graph."""
        folder = self.path / "orin"
        (folder / ENGINE).write_bytes(b"engine")
        values: dict[str, Any] = {
            "engine_sha256": hash_file(folder / ENGINE),
            "engine_size": 6,
            "graph_sha256": hash_file(folder / "step.onnx"),
            "compiler": "tensorrt",
            "compiler_version": "10.3.0",
            "gpu": "Orin",
            "compute_capability": "8.7",
            "driver": "12.6",
            "batch": (1, 8, 32),
            "workspace_mb": 512,
            "optimization_level": None,
            "seconds": 1.0,
            "warnings": (),
        }
        (folder / RECORD).write_text(EngineRecord(**{**values, **other}).to_json())


@pytest.fixture
def bundle(tmp_path: Path) -> FakeBundle:
    return FakeBundle(tmp_path)


def chosen(bundle: Any, name: str, state: DriverState, *providers: str) -> Choice:
    cuda = FakeCuda()
    trt = fake_runtime(cuda, bundle.path / "orin/step.onnx", BASE)
    compiler = SimpleNamespace(
        name="tensorrt", version="10.3.0", trt=trt, logger=None, needs_gpu=True, log=None
    )
    return choose(
        bundle.path,
        name,
        *bundle.target,
        probe_driver=lambda: state,
        providers=lambda: list(providers),
        make_compiler=lambda name: compiler,  # type: ignore[arg-type, return-value]
    )


def test_cpu_needs_nothing(bundle: FakeBundle) -> None:
    assert "CPUExecutionProvider" in chosen(bundle, "cpu", ORIN).backend.describe()


def test_without_a_gpu_the_graph_runs_on_the_cpu_and_the_reason_is_given(
    bundle: FakeBundle,
) -> None:
    choice = chosen(bundle, "orin", NOTHING)
    assert choice.backend.name == "onnxruntime"
    assert choice.reason.startswith("there is no engine, and here is none (no NVIDIA driver")
    bundle.build()
    assert chosen(bundle, "orin", NOTHING).reason.startswith("its engine needs a GPU")


def test_an_engine_that_fits_is_run(bundle: FakeBundle) -> None:
    bundle.build()
    choice = chosen(bundle, "orin", ORIN)
    assert isinstance(choice.backend, TensorRTBackend)
    assert choice.backend.describe() == "tensorrt 10.3.0 on Orin"
    assert choice.reason == "its engine fits Orin (compute capability 8.7)"


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"compiler_version": "10.2.0"}, "tensorrt's version was 10.2.0 and is 10.3.0"),
        ({"driver": "12.2"}, "the driver was 12.2 and is 12.6"),
        ({"graph_sha256": "0" * 64}, "the step graph was 000000000000… and is"),
        ({"compute_capability": "8.9", "gpu": "L4"}, "the GPU was L4 and is Orin"),
    ],
)
def test_an_engine_that_does_not_fit_is_an_error_and_never_passed_over(
    other: dict[str, Any], reason: str, bundle: FakeBundle
) -> None:
    bundle.build(**other)
    with pytest.raises(EngineError) as error:
        chosen(bundle, "orin", ORIN, "CUDAExecutionProvider")
    assert reason in str(error.value)
    assert f"trm-edge build {bundle.path} --target orin" in str(error.value)


def test_a_gpu_without_an_engine_runs_the_graph_where_it_can(bundle: FakeBundle) -> None:
    choice = chosen(bundle, "orin", ORIN, "CUDAExecutionProvider", "CPUExecutionProvider")
    assert isinstance(choice.backend, OnnxRuntimeCudaBackend)
    assert "trm-edge build" in choice.reason
    choice = chosen(bundle, "orin", ORIN, "CPUExecutionProvider")
    assert choice.backend.name == "onnxruntime"
    assert "has no CUDA provider" in choice.reason


def test_a_record_from_elsewhere_is_no_record(bundle: FakeBundle) -> None:
    bundle.build()
    (bundle.path / "orin" / RECORD).write_text(json.dumps({"format": "something"}))
    with pytest.raises(EngineError, match=r"no trm-edge\.engine/1 record"):
        chosen(bundle, "orin", ORIN)
