"""What is wrong with machines that are described by an Environment."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from trm_edge.backends.environment import Environment
from trm_edge.diagnosis import Problem, find_problems, shared_onnxruntime, tensorrt_problem
from trm_edge.engines.driver import DriverState, Gpu
from trm_edge.requirements import OLDEST

OWN = f"python{sys.version_info.major}.{sys.version_info.minor}"
JETPACK = Path(f"/usr/lib/{OWN}/dist-packages")
VENV = Path(f"/home/user/trm/lib/{OWN}/site-packages")
ORIN_NANO = "NVIDIA Jetson Orin Nano Developer Kit"
AGX_ORIN = "NVIDIA Jetson AGX Orin Developer Kit"
NO_GPU = DriverState(problem="no NVIDIA driver: libcuda.so.1 was not found")


def machine(
    packages: Mapping[str, str] | None = None,
    *,
    board: str | None = None,
    seen: tuple[Path, ...] = (),
    system: tuple[Path, ...] = (),
) -> Environment:
    versions = {**OLDEST, **(packages or {})}
    return Environment(
        probe_driver=lambda: NO_GPU,
        package_version=versions.get,
        board=lambda: board,
        module_folders=lambda name: seen if name == "tensorrt" else (),
        system_folders=lambda name: system if name == "tensorrt" else (),
    )


def the_problem(environment: Environment, state: DriverState = NO_GPU) -> Problem:
    (problem,) = find_problems(environment, state)
    return problem


def test_nothing_is_wrong_with_a_good_machine() -> None:
    assert find_problems(machine(), NO_GPU) == ()
    orin = machine(board=ORIN_NANO, seen=(JETPACK,), system=(JETPACK,))
    assert find_problems(orin, DriverState("12.6", (Gpu("Orin", "8.7", 8 << 30),))) == ()


def test_two_distributions_of_onnxruntime() -> None:
    problem = the_problem(machine({"onnxruntime": "1.32.0", "onnxruntime-gpu": "1.31.1"}))
    assert problem.id == "onnxruntime_twice"
    assert "onnxruntime 1.32.0 and onnxruntime-gpu 1.31.1 are both installed" in problem.problem
    assert (
        "pip uninstall -y onnxruntime onnxruntime-gpu && pip install --no-deps "
        "onnxruntime-gpu==1.31.1" in problem.remedy
    )
    assert shared_onnxruntime(machine()) is None


def test_an_environment_that_does_not_see_jetpack() -> None:
    problem = the_problem(machine(board=ORIN_NANO, system=(JETPACK,)))
    assert problem.id == "tensorrt_hidden"
    assert f"does not see JetPack's TensorRT in {JETPACK}" in problem.problem
    assert "python3 -m venv --system-site-packages" in problem.remedy
    assert "pip install" not in problem.remedy


def test_jetpacks_tensorrt_is_for_another_python() -> None:
    other = Path("/usr/lib/python3.8/dist-packages")
    problem = the_problem(machine(board=ORIN_NANO, system=(other,)))
    assert f"is for Python 3.8, but this is Python {OWN[6:]}" in problem.problem
    assert "python3.8 -m venv --system-site-packages" in problem.remedy


def test_a_jetson_without_tensorrt() -> None:
    problem = the_problem(machine(board=ORIN_NANO))
    assert "TensorRT is not installed on this NVIDIA Jetson Orin Nano" in problem.problem
    assert "sudo apt install nvidia-jetpack" in problem.remedy


@pytest.mark.parametrize("version", ["10.13.2.6", "11.4.0", "11.4.1"])
def test_pips_tensorrt_hides_jetpacks(version: str) -> None:
    packages = {"tensorrt": version, "tensorrt-cu12": version, "tensorrt-cu12-libs": version}
    orin = machine(packages, board=ORIN_NANO, seen=(VENV, JETPACK), system=(JETPACK,))
    problem = the_problem(orin)
    assert problem.id == "tensorrt_shadowed"
    assert f"imported from {VENV}, and hides JetPack's in {JETPACK}" in problem.problem
    assert "Target GPU SM 87 is not supported" in problem.problem
    assert "uninstall -y tensorrt tensorrt-cu12 tensorrt-cu12-libs." in problem.remedy
    assert f"{sys.executable} -m pip" in problem.remedy


def test_pips_tensorrt_is_right_where_nvidia_names_the_board() -> None:
    def orin(version: str) -> Environment:
        return machine({"tensorrt": version}, board=AGX_ORIN, seen=(VENV,), system=(JETPACK,))

    assert tensorrt_problem(orin("11.4.1")) is None
    assert tensorrt_problem(orin("11.4.0")) is not None


def test_on_other_machines_pips_tensorrt_is_right() -> None:
    assert tensorrt_problem(machine({"tensorrt": "10.3"}, seen=(VENV,))) is None
    assert tensorrt_problem(machine()) is None


def test_a_driver_that_is_too_old_for_tensorrt() -> None:
    gpu = DriverState("12.4", (Gpu("NVIDIA L4", "8.9", 24 << 30),))
    problem = the_problem(machine({"tensorrt-cu13": "11.4.1"}), gpu)
    assert problem.id == "driver_too_old"
    assert problem.problem == "the driver supports CUDA 12.4, but tensorrt-cu13 needs CUDA 13"
    assert "Update NVIDIA's driver to 580 or newer" in problem.remedy
    assert "pip install tensorrt-cu12 'cuda-python>=12,<13'" in problem.remedy
    assert find_problems(machine({"tensorrt-cu12": "10.13"}), gpu) == ()


def test_a_jetson_keeps_its_driver() -> None:
    state = DriverState("12.6", (Gpu("Orin", "8.7", 8 << 30),))
    orin = machine({"cuda-python": "13.0.1"}, board=ORIN_NANO, seen=(JETPACK,), system=(JETPACK,))
    problem = the_problem(orin, state)
    assert "cuda-python 13.0.1 needs CUDA 13" in problem.problem
    assert problem.remedy == ("Install what fits this JetPack: pip install 'cuda-python>=12,<13'")


def test_old_and_missing_packages() -> None:
    old = the_problem(machine({"rich": "11.2.0"}))
    assert old == Problem(
        "package_too_old",
        "rich 11.2.0 is too old; 13 or newer is needed",
        "Install it with: pip install 'rich>=13'",
    )
