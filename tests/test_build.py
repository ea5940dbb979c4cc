"""Engines: what is asked of TensorRT, what is refused before, and TensorRT-RTX for real."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.engines.fake_tensorrt import FakeModule, fake_tensorrt
from tests.toys import BASE, write_run
from trm_edge.build import build_target, profile_of, trtexec_line
from trm_edge.bundle import Bundle
from trm_edge.calibration.recipe import CalibrationRecipe
from trm_edge.cli.main import cli
from trm_edge.engines.compiler import Compiler, CompilerName
from trm_edge.engines.driver import DriverState, Gpu
from trm_edge.engines.record import EngineRecord
from trm_edge.errors import EngineError
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.files import hash_file
from trm_edge.manifest import Limits
from trm_edge.profile import Precision
from trm_edge.targets.export_bundle import export_bundle
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.request import ExportRequest
from trm_edge.tasks import task_for

ORIN, H100, L4 = (load_profile(name) for name in ("jetson-orin-nano", "h100", "l4"))
HERE = DriverState("12.6", (Gpu("Orin", "8.7", 8 << 30),))
NOWHERE = DriverState(problem="no NVIDIA driver (libcuda.so.1) on this machine")
LOOSE = Limits(max_drop=100, min_halting_agreement=0)


def exported(folder: Path, dataset: Path, precision: Precision, names: tuple[str, ...]) -> Bundle:
    checkpoint = load_checkpoint(write_run(folder / "run", BASE))
    request = ExportRequest(
        checkpoint=checkpoint,
        task=task_for(checkpoint.config),
        precision=precision,
        targets=tuple(load_profile(name) for name in names),
        dataset=dataset,
        recipe=CalibrationRecipe(puzzles=4) if precision == "int8" else None,
        limits=LOOSE,
    )
    return export_bundle(request, folder / "bundle")


@pytest.fixture(scope="module")
def gpu_bundle(tmp_path_factory: pytest.TempPathFactory, toy_dataset: Path) -> Path:
    folder = tmp_path_factory.mktemp("gpu")
    return exported(folder, toy_dataset, "int8", ("jetson-orin-nano", "h100")).path


@pytest.fixture
def bundle(gpu_bundle: Path, tmp_path: Path) -> Bundle:
    shutil.copytree(gpu_bundle, tmp_path / "bundle")
    return Bundle.open(tmp_path / "bundle")


def build(bundle: Bundle, module: FakeModule, **changes: Any) -> EngineRecord:
    def make(name: CompilerName) -> Compiler:
        return Compiler(name, module)

    arguments = {"probe_driver": lambda: HERE, "make_compiler": make} | changes
    return build_target(bundle, ORIN, "tensorrt", **arguments)


@pytest.mark.parametrize("version", ["10.3.0", "10.16.2", "11.4.1"])
def test_either_api_is_asked_for_a_strongly_typed_network(bundle: Bundle, version: str) -> None:
    module = fake_tensorrt(version)
    record = build(bundle, module)
    assert module.asked["network_flags"] == 2
    assert module.asked["flags_cleared"] == ["TF32"]
    assert module.asked["workspace"] == ORIN.workspace_mb << 20
    shapes = module.asked["shapes"]
    assert shapes["tokens"] == tuple((slots, BASE.seq_len) for slots in ORIN.batch)
    assert shapes["reset"] == tuple((slots,) for slots in ORIN.batch)
    assert set(shapes) == {node.name for node in module.asked["graph"].graph.input}
    folder = bundle.path / "jetson-orin-nano"
    assert (folder / "step.engine").read_bytes() == b"engine of " + version.encode()
    assert EngineRecord.read(folder / "build.json") == record
    assert record.compiler_version == version
    assert (record.gpu, record.compute_capability, record.driver) == ("Orin", "8.7", "12.6")
    Bundle.open(bundle.path)  # still whole


@pytest.mark.parametrize("version", ["10.3.0", "11.4.1"])
def test_what_became_of_the_layers_is_kept_and_shown(bundle: Bundle, version: str) -> None:
    path = str(bundle.path)
    asked = ["inspect", path, "--layers", "--target", ORIN.name]
    before = CliRunner().invoke(cli, asked)
    assert "has no engine yet" in before.stderr
    (bundle.path / ORIN.name / "step.engine").write_bytes(b"from a machine without a GPU")
    assert "only a runtime on a GPU can open" in CliRunner().invoke(cli, asked).stderr
    build(bundle, fake_tensorrt(version))
    after = CliRunner().invoke(cli, asked)
    assert "0 layers; 0 of them only reformat" in after.stdout
    assert json.loads(CliRunner().invoke(cli, [*asked, "--json"]).stdout)["layers"] == []


def test_the_timing_cache_of_this_device_is_used_again_and_another_is_not(bundle: Bundle) -> None:
    path = bundle.path / "jetson-orin-nano" / "timing.cache"
    module = fake_tensorrt("10.3.0")
    path.write_bytes(b"this device, earlier")
    build(bundle, module)
    assert module.asked["timing_cache"] == b"this device, earlier"
    assert path.read_bytes() == b"this device, earlier|measured"
    path.write_bytes(b"another device")
    build(bundle, module)
    assert module.asked["timing_cache"] == b""
    assert path.read_bytes() == b"|measured"


def test_options_change_what_is_asked(bundle: Bundle) -> None:
    module = fake_tensorrt("10.3.0")
    record = build(bundle, module, batch=(1, 2, 4), optimization_level=5)
    assert module.asked["shapes"]["reset"] == ((1,), (2,), (4,))
    assert (record.batch, record.optimization_level) == ((1, 2, 4), 5)


def test_warnings_are_recorded_and_the_log_is_kept(bundle: Bundle) -> None:
    def says(logger: Any, severity: Any) -> None:
        logger.log(severity.INFO, "fusing")
        logger.log(severity.WARNING, "no kernel in INT8")

    record = build(bundle, fake_tensorrt("10.3.0", says=says))
    assert record.warnings == ("no kernel in INT8",)
    log = (bundle.path / "jetson-orin-nano" / "build.log").read_text()
    assert log == "[info] fusing\n[warning] no kernel in INT8\n"


@pytest.mark.parametrize(
    ("fails", "texts"),
    [
        ("parse", ["the parser refuses it", "no importer for the operator Swish"]),
        ("build", ["cannot be compiled", "could not find any implementation"]),
    ],
)
def test_a_failure_says_what_the_compiler_said_and_leaves_no_engine(
    bundle: Bundle, fails: str, texts: list[str]
) -> None:
    with pytest.raises(EngineError) as caught:
        build(bundle, fake_tensorrt("10.3.0", fails=fails))
    assert all(text in str(caught.value) for text in texts), caught.value
    assert sorted(path.name for path in (bundle.path / "jetson-orin-nano").iterdir()) == [
        "build.log",
        "step.onnx",
    ]


def test_what_cannot_work_is_refused_before_the_compiler_is_touched(bundle: Bundle) -> None:
    def never(name: CompilerName) -> Compiler:
        raise AssertionError("the compiler was loaded")

    def refused(*texts: str, profile: Any = ORIN, **changes: Any) -> None:
        arguments = {"probe_driver": lambda: HERE, "make_compiler": never} | changes
        with pytest.raises(EngineError) as caught:
            build_target(bundle, profile, "tensorrt", **arguments)
        assert all(text in str(caught.value) for text in texts), caught.value

    refused("no GPU here", "libcuda.so.1", "trm-edge build", probe_driver=lambda: NOWHERE)
    refused("h100 has compute capability 9.0", "this is Orin", profile=H100)
    refused("--compiler tensorrt-rtx", compute_capability="8.9")


def test_an_old_tensorrt_is_refused(bundle: Bundle) -> None:
    with pytest.raises(EngineError, match=r"8\.6\.1 is too old.*10\.3"):
        build(bundle, fake_tensorrt("8.6.1"))


def test_fp8_on_a_gpu_without_it_is_refused_before_the_compiler_sees_it(
    tmp_path: Path, toy_dataset: Path
) -> None:
    fp8 = exported(tmp_path, toy_dataset, "fp8", ("l4",))
    with pytest.raises(EngineError, match=r"8\.0 has no FP8; it begins with 8\.9"):
        build_target(fp8, L4, "tensorrt-rtx", compute_capability="8.0")


def test_an_engine_of_other_things_does_not_fit_and_each_is_named(bundle: Bundle) -> None:
    record = build(bundle, fake_tensorrt("10.3.0"))
    folder = bundle.path / "jetson-orin-nano"
    graph, engine, gpu = folder / "step.onnx", folder / "step.engine", HERE.gpus[0]
    assert record.mismatches(graph, engine, "10.3.0", gpu, "12.6") == []
    other = replace(gpu, name="NVIDIA L4", compute_capability="8.9")
    engine.write_bytes(b"something else")
    graph.write_bytes(b"something else")
    with pytest.raises(EngineError) as caught:
        record.require_match(graph, engine, "10.7.0", other, "12.8", "trm-edge build my-bundle")
    for text in (
        "step graph was",
        "engine's file was",
        "tensorrt's version was 10.3.0 and is 10.7.0",
        "compute capability was 8.7 and is 8.9",
        "GPU was Orin and is NVIDIA L4",
        "driver was 12.6 and is 12.8",
        "again with: trm-edge build my-bundle",
    ):
        assert text in str(caught.value)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "is missing"),
        ("{", "cannot be read"),
        ("[]", "is no trm-edge.engine/1 record"),
        ('{"format": "trm-edge.engine/2"}', "is no trm-edge.engine/1 record"),
        ('{"format": "trm-edge.engine/1", "gpu": "x"}', "lacks batch"),
    ],
)
def test_a_damaged_record_is_an_error(tmp_path: Path, content: str | None, text: str) -> None:
    path = tmp_path / "build.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(EngineError, match=text):
        EngineRecord.read(path)


def test_the_profile_is_the_only_one_for_a_gpu(bundle: Bundle, toy_bundle: Path) -> None:
    assert profile_of(bundle, "h100") == H100
    with pytest.raises(EngineError, match="jetson-orin-nano, h100: name one with --target"):
        profile_of(bundle, None)
    with pytest.raises(EngineError, match="none needs an engine"):
        profile_of(Bundle.open(toy_bundle), None)


def test_the_trtexec_line_names_every_input(bundle: Bundle) -> None:
    line = trtexec_line(bundle, ORIN)
    least, _, most = ORIN.batch
    assert f"--minShapes=tokens:{least}x{BASE.seq_len}" in line
    assert f"reset:{most}" in line
    assert "--stronglyTyped" in line
    assert str(bundle.path / "jetson-orin-nano" / "step.onnx") in line


@pytest.mark.parametrize("capability", ["8.0", "8.9", "12.0"])
def test_tensorrt_rtx_compiles_the_graph_from_the_command_line(
    bundle: Bundle, capability: str
) -> None:
    pytest.importorskip("tensorrt_rtx")
    arguments = ["build", str(bundle.path), "--target", "h100", "--compiler", "tensorrt-rtx"]
    result = CliRunner().invoke(cli, [*arguments, "--compute-capability", capability])
    assert result.exit_code == 0, result.output
    folder = bundle.path / "h100"
    record = json.loads((folder / "build.json").read_text())
    assert record["compute_capability"] == capability
    assert record["engine_sha256"] == hash_file(folder / "step.engine")
    assert record["engine_size"] > 10_000
    assert "step.engine: " in result.stdout


def test_tensorrt_rtx_names_the_capabilities_it_has(bundle: Bundle) -> None:
    pytest.importorskip("tensorrt_rtx")
    with pytest.raises(EngineError, match=r"does not compile for compute capability 9\.0.*SM89"):
        build_target(bundle, H100, "tensorrt-rtx", probe_driver=lambda: NOWHERE)
