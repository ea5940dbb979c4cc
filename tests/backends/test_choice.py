from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import pytest

from tests.engines.fake_cuda import FakeCuda
from tests.engines.fake_runtime import fake_runtime
from tests.toys import BASE, toy_model
from trm_edge.backends.choice import Choice, choose
from trm_edge.backends.environment import Environment
from trm_edge.backends.onnxruntime_cuda import OnnxRuntimeCudaBackend
from trm_edge.backends.tensorrt import TensorRTBackend
from trm_edge.engines.driver import DriverState, Gpu
from trm_edge.engines.record import ENGINE, RECORD, EngineRecord
from trm_edge.errors import EngineError
from trm_edge.export.step_graph import step_graph
from trm_edge.files import hash_file

ORIN = DriverState("12.6", (Gpu("Orin", "8.7", 8 << 30),))
NO_GPU = DriverState(problem="no NVIDIA driver: libcuda.so.1 was not found")


class FakeBundle:
    """The parts of a bundle that the choice reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "orin").mkdir()
        onnx.save(step_graph(toy_model(BASE)), path / "orin/step.onnx")

    def build(self, **changes: Any) -> None:
        """Put an engine beside the graph.

        Args:
            changes: fields of its record that differ from what fits ``ORIN``.
        """
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
        EngineRecord(**{**values, **changes}).write(folder / RECORD)


@pytest.fixture
def bundle(tmp_path: Path) -> FakeBundle:
    return FakeBundle(tmp_path)


def chosen(bundle: FakeBundle, name: str, state: DriverState, *providers: str) -> Choice:
    trt = fake_runtime(FakeCuda(), bundle.path / "orin/step.onnx", BASE)
    compiler: Any = SimpleNamespace(
        name="tensorrt", version="10.3.0", trt=trt, logger=None, needs_gpu=True, log=None
    )
    environment = Environment(
        probe_driver=lambda: state,
        providers=lambda: providers,
        make_compiler=lambda compiler_name: compiler,
    )
    target: Any = SimpleNamespace(step="orin/step.onnx", carry="float32", noise=False)
    return choose(bundle.path, name, target, BASE, environment=environment)


def test_the_cpu_target_runs_in_onnx_runtime(bundle: FakeBundle) -> None:
    choice = chosen(bundle, "cpu", ORIN)
    assert "CPUExecutionProvider" in choice.backend.describe()
    assert choice.reason == (
        "the target cpu has no engine; running the step graph in ONNX Runtime on the CPU"
    )


@pytest.mark.parametrize(
    ("is_built", "reason"),
    [
        (
            False,
            "no engine has been built, and this machine has no GPU (no NVIDIA driver: libcuda.so.1 "
            "was not found); running the step graph in ONNX Runtime on the CPU",
        ),
        (
            True,
            "the engine needs a GPU, but this machine has none (no NVIDIA driver: libcuda.so.1 was "
            "not found); running the step graph in ONNX Runtime on the CPU",
        ),
    ],
)
def test_without_a_gpu_the_graph_runs_on_the_cpu(
    is_built: bool, reason: str, bundle: FakeBundle
) -> None:
    if is_built:
        bundle.build()
    choice = chosen(bundle, "orin", NO_GPU)
    assert choice.backend.name == "onnxruntime"
    assert choice.reason == reason


def test_an_engine_that_fits_is_run(bundle: FakeBundle) -> None:
    bundle.build()
    choice = chosen(bundle, "orin", ORIN)
    assert isinstance(choice.backend, TensorRTBackend)
    assert choice.backend.describe() == "tensorrt 10.3.0 on Orin"
    assert choice.reason == "its engine was built for this GPU, Orin (compute capability 8.7)"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"compiler_version": "10.2.0"}, "tensorrt's version was 10.2.0 and is now 10.3.0"),
        ({"driver": "12.2"}, "the driver was 12.2 and is now 12.6"),
        ({"graph_sha256": "0" * 64}, "the step graph was 000000000000… and is now"),
        ({"compute_capability": "8.9", "gpu": "L4"}, "the GPU was L4 and is now Orin"),
    ],
)
def test_an_engine_that_does_not_fit_is_an_error_and_never_ignored(
    changes: dict[str, Any], reason: str, bundle: FakeBundle
) -> None:
    bundle.build(**changes)
    with pytest.raises(EngineError) as error:
        chosen(bundle, "orin", ORIN, "CUDAExecutionProvider")
    assert reason in str(error.value)
    assert f"trm-edge build {bundle.path} --target orin" in str(error.value)


def test_without_an_engine_the_graph_runs_on_the_gpu_if_possible(bundle: FakeBundle) -> None:
    command = f"trm-edge build {bundle.path} --target orin"
    choice = chosen(bundle, "orin", ORIN, "CUDAExecutionProvider", "CPUExecutionProvider")
    assert isinstance(choice.backend, OnnxRuntimeCudaBackend)
    assert choice.reason == (
        f"no engine has been built (build one with: {command}); running the step graph in ONNX "
        "Runtime on the GPU"
    )
    choice = chosen(bundle, "orin", ORIN, "CPUExecutionProvider")
    assert choice.backend.name == "onnxruntime"
    assert choice.reason == (
        f"no engine has been built (build one with: {command}), and ONNX Runtime has no "
        "CUDAExecutionProvider; running the step graph in ONNX Runtime on the CPU"
    )


def test_an_engine_without_a_record_is_an_error(bundle: FakeBundle) -> None:
    bundle.build()
    (bundle.path / "orin" / RECORD).unlink()
    with pytest.raises(EngineError, match=r"build\.json is missing.*trm-edge build"):
        chosen(bundle, "orin", ORIN)
