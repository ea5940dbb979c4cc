"""Building a bundle's engines: on a fake TensorRT, and with TensorRT-RTX where it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.engines.fake_tensorrt import FakeModule, fake_tensorrt
from tests.exported import exported
from tests.toys import BASE
from trm_edge.backends.environment import Environment
from trm_edge.build import build_target, gpu_target, profile_of, trtexec_line
from trm_edge.bundle import Bundle
from trm_edge.cli.main import cli
from trm_edge.engines.compiler import Compiler, CompilerName
from trm_edge.engines.driver import DriverState, Gpu
from trm_edge.engines.record import EngineRecord
from trm_edge.errors import BundleError, EngineError, OutputError
from trm_edge.targets.profiles import load_profile

ORIN = load_profile("jetson-orin-nano")
H100 = load_profile("h100")
GPU = DriverState("12.6", (Gpu("Orin", "8.7", 8 << 30),))
NO_GPU = DriverState(problem="no NVIDIA driver: libcuda.so.1 was not found")


@pytest.fixture(scope="module")
def gpu_bundle(tmp_path_factory: pytest.TempPathFactory, toy_dataset: Path) -> Path:
    folder = tmp_path_factory.mktemp("gpu")
    return exported(folder, toy_dataset, "int8", ("jetson-orin-nano", "h100")).path


@pytest.fixture
def bundle(gpu_bundle: Path, tmp_path: Path) -> Bundle:
    shutil.copytree(gpu_bundle, tmp_path / "bundle")
    return Bundle.open(tmp_path / "bundle")


def orin_with(module: FakeModule) -> Environment:
    """An Orin whose TensorRT is the fake one."""

    def make(name: CompilerName) -> Compiler:
        return Compiler(name, module)

    return Environment(probe_driver=lambda: GPU, make_compiler=make)


def build(bundle: Bundle, module: FakeModule, **options: Any) -> EngineRecord:
    return build_target(bundle, ORIN.name, "tensorrt", environment=orin_with(module), **options)


@pytest.mark.parametrize("version", ["10.3.0", "11.4.1"])
def test_the_engine_and_its_record_lie_beside_the_graph(bundle: Bundle, version: str) -> None:
    module = fake_tensorrt(version)
    record = build(bundle, module)
    assert module.calls["workspace"] == ORIN.workspace_mb << 20
    assert module.calls["shapes"]["reset"] == tuple((slots,) for slots in ORIN.batch)
    folder = bundle.path / ORIN.name
    assert (folder / "step.engine").read_bytes() == b"engine of " + version.encode()
    assert EngineRecord.read(folder / "build.json") == record
    assert record.compiler_version == version
    assert (record.gpu, record.compute_capability, record.driver) == ("Orin", "8.7", "12.6")
    Bundle.open(bundle.path)  # an engine does not damage the bundle


@pytest.mark.parametrize("version", ["10.3.0", "11.4.1"])
def test_the_layers_are_recorded_for_inspect(bundle: Bundle, version: str) -> None:
    arguments = ["inspect", str(bundle.path), "--layers", "--target", ORIN.name]
    assert CliRunner().invoke(cli, arguments).exit_code == 1
    build(bundle, fake_tensorrt(version))
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    assert "0 layers" in result.stdout


def test_the_timing_cache_is_used_again(bundle: Bundle) -> None:
    path = bundle.path / ORIN.name / "timing.cache"
    module = fake_tensorrt("10.3.0")
    path.write_bytes(b"this device, earlier")
    build(bundle, module)
    assert module.calls["timing_cache"] == b"this device, earlier"
    assert path.read_bytes() == b"this device, earlier|measured"


def test_options_reach_the_compiler_and_the_record(bundle: Bundle) -> None:
    module = fake_tensorrt("10.3.0")
    record = build(bundle, module, batch=(1, 2, 4), optimization_level=5)
    assert module.calls["shapes"]["reset"] == ((1,), (2,), (4,))
    assert (record.batch, record.optimization_level) == ((1, 2, 4), 5)


def test_the_log_is_written(bundle: Bundle) -> None:
    def logs(logger: Any, severity: Any) -> None:
        logger.log(severity.INFO, "fusing")
        logger.log(severity.WARNING, "no kernel in INT8")

    record = build(bundle, fake_tensorrt("10.3.0", logs=logs))
    assert record.warnings == ("no kernel in INT8",)
    log = (bundle.path / ORIN.name / "build.log").read_text()
    assert log == "[info] fusing\n[warning] no kernel in INT8\n"


@pytest.mark.parametrize("fails", ["parse", "build"])
def test_a_failure_leaves_the_log_and_no_engine(bundle: Bundle, fails: str) -> None:
    with pytest.raises(EngineError):
        build(bundle, fake_tensorrt("10.3.0", fails=fails))
    files = {path.name for path in (bundle.path / ORIN.name).iterdir()}
    assert files == {"build.log", "step.onnx"}


def no_compiler(name: CompilerName) -> Compiler:
    raise AssertionError("the compiler was loaded")


@pytest.mark.parametrize(
    ("name", "state", "options", "message"),
    [
        (
            "jetson-orin-nano",
            NO_GPU,
            {},
            r"this machine has no GPU \(no NVIDIA driver.*Copy the bundle to the jetson-orin-nano",
        ),
        ("h100", GPU, {}, "h100 has compute capability 9.0, but this machine has Orin"),
        ("jetson-orin-nano", GPU, {"compute_capability": "8.9"}, "needs --compiler tensorrt-rtx"),
        ("jetson-orin-nano", GPU, {"compute_capability": "sm89"}, r"written like 8\.7, but got"),
    ],
)
def test_what_cannot_work_is_refused_before_the_compiler_is_loaded(
    name: str, state: DriverState, options: dict[str, Any], message: str, bundle: Bundle
) -> None:
    environment = Environment(probe_driver=lambda: state, make_compiler=no_compiler)
    with pytest.raises(EngineError, match=message):
        build_target(bundle, name, "tensorrt", environment=environment, **options)


def test_a_folder_that_cannot_be_written_is_found_before_the_compiler_is_loaded(
    bundle: Bundle,
) -> None:
    (bundle.path / ORIN.name / "step.engine").mkdir()
    environment = Environment(probe_driver=lambda: GPU, make_compiler=no_compiler)
    with pytest.raises(OutputError, match=r"cannot write .*step\.engine"):
        build_target(bundle, ORIN.name, "tensorrt", environment=environment)


def test_fp8_on_a_gpu_without_it_is_refused(tmp_path: Path, toy_dataset: Path) -> None:
    fp8 = exported(tmp_path, toy_dataset, "fp8", ("l4",))
    environment = Environment(probe_driver=lambda: NO_GPU, make_compiler=no_compiler)
    with pytest.raises(EngineError, match=r"8\.0 does not support FP8, which needs 8\.9"):
        build_target(fp8, "l4", "tensorrt-rtx", compute_capability="8.0", environment=environment)


def test_a_target_of_a_users_own_file_is_built(tmp_path: Path, toy_dataset: Path) -> None:
    """Its profile is nowhere but in the bundle."""
    text = (resources.files("trm_edge.targets") / "jetson-orin-nano.toml").read_text()
    file = tmp_path / "my-board.toml"
    file.write_text(text.replace("workspace_mb = 512", "workspace_mb = 256"))
    own = load_profile(str(file))
    bundle = exported(tmp_path, toy_dataset, "fp16", ("cpu", str(file)))
    file.unlink()
    assert gpu_target(bundle) == "my-board"
    assert profile_of(bundle, "my-board") == own
    module = fake_tensorrt("10.3.0")
    record = build_target(bundle, "my-board", "tensorrt", environment=orin_with(module))
    assert record.workspace_mb == own.workspace_mb
    assert (bundle.path / "my-board" / "step.engine").exists()


def test_an_older_bundle_is_built_with_the_shipped_profile(bundle: Bundle) -> None:
    manifest = json.loads((bundle.path / "manifest.json").read_text())
    del manifest["targets"]["h100"]["profile"]
    manifest["targets"]["my-board"] = manifest["targets"].pop("jetson-orin-nano")
    del manifest["targets"]["my-board"]["profile"]
    (bundle.path / "manifest.json").write_text(json.dumps(manifest))
    older = Bundle.open(bundle.path)
    assert profile_of(older, "h100") == H100
    with pytest.raises(EngineError, match=r"what the target my-board is.*Export it again"):
        profile_of(older, "my-board")


def test_the_target_is_the_only_one_that_needs_an_engine(bundle: Bundle, toy_bundle: Path) -> None:
    assert gpu_target(bundle, "h100") == "h100"
    with pytest.raises(EngineError, match=r"jetson-orin-nano, h100\. Choose one with --target"):
        gpu_target(bundle)
    with pytest.raises(BundleError, match="has no target 'l4'"):
        gpu_target(bundle, "l4")
    cpu_only = Bundle.open(toy_bundle)
    with pytest.raises(EngineError, match=r"needs an engine; it has cpu\. Export the checkpoint"):
        gpu_target(cpu_only)
    with pytest.raises(EngineError, match=r"needs no engine: .* trm-edge solve .* --target cpu"):
        gpu_target(cpu_only, "cpu")
    with pytest.raises(EngineError, match="cpu needs no engine"):
        build_target(cpu_only, "cpu", "tensorrt")


def test_the_trtexec_line_names_every_input(bundle: Bundle) -> None:
    line = trtexec_line(bundle, ORIN.name)
    smallest, _, largest = ORIN.batch
    assert line.startswith(f"trtexec --onnx={bundle.path / ORIN.name / 'step.onnx'} ")
    assert f"--minShapes=tokens:{smallest}x{BASE.seq_len}," in line
    assert f"reset:{largest}," in line
    assert "--stronglyTyped" in line


def test_building_imports_nothing_of_the_workstation() -> None:
    script = "import sys, trm_edge.build, trm_edge.backends.choice; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stdout.split()
    for name in ("torch", "onnx", "trm_edge.targets", "trm_edge.export", "trm_edge.calibration"):
        assert name not in modules


def test_tensorrt_rtx_names_the_capabilities_that_it_supports(bundle: Bundle) -> None:
    pytest.importorskip("tensorrt_rtx")
    environment = replace(Environment(), probe_driver=lambda: NO_GPU)
    with pytest.raises(EngineError, match=r"does not compile for compute capability 9\.0.*SM89"):
        build_target(bundle, "h100", "tensorrt-rtx", environment=environment)
