"""Abilities of machines that are described by an Environment."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from trm_edge import doctor, records
from trm_edge.backends.environment import Environment
from trm_edge.doctor import (
    EXPORT_PACKAGES,
    FORMAT,
    PACKAGES,
    Ability,
    DoctorReport,
    DriverReport,
    GpuReport,
    examine,
)
from trm_edge.engines.driver import DriverState, Gpu
from trm_edge.errors import ConfigError
from trm_edge.evaluation.machine import Machine

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
ORIN = DriverState("12.6", (Gpu("Orin", "8.7", 8 << 30),))
NO_GPU = DriverState(problem="no NVIDIA driver: libcuda.so.1 was not found")
CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"


def report_of(state: DriverState, providers: tuple[str, ...], *packages: str) -> DoctorReport:
    def version(name: str) -> str | None:
        return "1.0" if name in packages else None

    environment = Environment(
        probe_driver=lambda: state, providers=lambda: providers, package_version=version
    )
    return examine(environment)


def abilities(report: DoctorReport) -> dict[str, Ability]:
    return {ability.id: ability for ability in report.abilities}


def test_a_machine_with_everything_can_do_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "kernels_are_exact", lambda: True)
    report = report_of(ORIN, (CUDA, CPU), *PACKAGES)
    assert all(ability.available for ability in report.abilities)
    assert all(ability.reason is None for ability in report.abilities)
    assert report.driver == DriverReport("12.6", None)
    assert report.gpus == (GpuReport("Orin", "8.7", 8 << 30),)
    assert report.cpu == Machine.current().cpu


def test_a_bare_machine_can_do_nothing_and_every_reason_has_a_remedy() -> None:
    report = report_of(NO_GPU, ())
    assert not any(ability.available for ability in report.abilities)
    assert all(ability.reason and ability.remedy for ability in report.abilities)
    assert report.driver == DriverReport(None, NO_GPU.problem)
    assert set(report.packages.values()) == {None}


@pytest.mark.parametrize(
    ("state", "packages", "reason", "remedy"),
    [
        (NO_GPU, PACKAGES, NO_GPU.problem, "a machine with an NVIDIA GPU"),
        (ORIN, ("cuda-python",), "neither tensorrt nor tensorrt-rtx", "--system-site-packages"),
        (ORIN, ("tensorrt",), "cuda-python is not installed", "trm-edge[jetpack6]"),
        (ORIN, ("tensorrt", "cuda-python"), None, None),
        (ORIN, ("tensorrt-rtx", "cuda-bindings"), None, None),
    ],
)
def test_running_engines_needs_gpu_compiler_and_cuda(
    state: DriverState, packages: tuple[str, ...], reason: str | None, remedy: str | None
) -> None:
    ability = abilities(report_of(state, (CPU,), *packages))["run_engines"]
    assert ability.available == (reason is None)
    if reason is None or remedy is None:
        assert ability == Ability("run_engines", True)
    else:
        assert ability.reason is not None
        assert ability.remedy is not None
        assert reason in ability.reason
        assert remedy in ability.remedy


def test_building_needs_the_compiler_and_for_tensorrt_the_gpu() -> None:
    without_gpu = abilities(report_of(NO_GPU, (CPU,), "tensorrt", "tensorrt-rtx"))
    assert not without_gpu["build_tensorrt"].available
    assert without_gpu["build_tensorrt_rtx"].available
    without_compiler = abilities(report_of(ORIN, (CPU,)))
    assert without_compiler["build_tensorrt"].reason == "tensorrt is not installed"
    assert without_compiler["build_tensorrt_rtx"].reason == "tensorrt-rtx is not installed"


def test_a_jetson_gets_its_onnxruntime_from_its_own_wheel() -> None:
    environment = Environment(
        probe_driver=lambda: ORIN,
        providers=lambda: (CPU,),
        package_version=lambda name: "99" if name == "onnxruntime" else None,
        board=lambda: "NVIDIA Jetson Orin Nano Developer Kit",
    )
    report = examine(environment)
    assert report.board == "NVIDIA Jetson Orin Nano Developer Kit"
    remedy = abilities(report)["solve_onnxruntime_cuda"].remedy or ""
    assert "pip install --no-deps onnxruntime_gpu-*.whl" in remedy
    build = abilities(report)["build_tensorrt"].remedy or ""
    assert "sudo apt install nvidia-jetpack" in build
    assert "trm-edge[tensorrt]" not in build


def test_a_driver_that_does_not_start_says_what_to_do() -> None:
    state = DriverState(problem="cuInit returned 803", remedy="Reboot: the driver was updated.")
    report = report_of(state, (CPU,), "tensorrt")
    for name in ("build_tensorrt", "run_engines", "solve_onnxruntime_cuda"):
        assert abilities(report)[name].remedy == "Reboot: the driver was updated."


def test_exporting_needs_every_package_of_the_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = project["optional-dependencies"]["export"]
    assert {re.split("[<>=]", requirement)[0] for requirement in extra} == set(EXPORT_PACKAGES)
    for missing in EXPORT_PACKAGES:
        installed = [name for name in EXPORT_PACKAGES if name != missing]
        ability = abilities(report_of(NO_GPU, (CPU,), *installed))["export"]
        assert ability.reason == f"not installed: {missing}"


def test_the_report_is_read_back() -> None:
    report = report_of(ORIN, (CPU,), "tensorrt")
    kind = records.RecordKind(FORMAT, "a doctor's report", ConfigError, "Run doctor again.")
    text = records.encode(report, FORMAT)
    assert records.decode(text, DoctorReport, kind, "doctor.json") == report
