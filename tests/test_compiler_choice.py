"""Which compiler builds, and on which machine: TensorRT on the device, TensorRT-RTX anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from tests.exported import exported
from trm_edge.backends.environment import Environment
from trm_edge.build import build_target
from trm_edge.bundle import Bundle
from trm_edge.compiler_choice import capability_of, choose_compiler
from trm_edge.engines.compiler import CompilerName
from trm_edge.engines.driver import DriverState, Gpu
from trm_edge.errors import EngineError, MissingExtraError
from trm_edge.targets.profiles import load_profile

JETPACK = Path("/usr/lib/python3.10/dist-packages")
NO_GPU = DriverState(problem="no NVIDIA driver: libcuda.so.1 was not found")
ORIN = DriverState("12.6", (Gpu("Orin", "8.7", 8 << 30),))
H100 = DriverState("13.0", (Gpu("NVIDIA H100", "9.0", 80 << 30),))
L4 = DriverState("13.0", (Gpu("NVIDIA L4", "8.9", 24 << 30),))
BOARD = "NVIDIA Jetson Orin Nano Developer Kit"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, toy_dataset: Path) -> Bundle:
    return exported(
        tmp_path_factory.mktemp("gpu"), toy_dataset, "fp16", ("jetson-orin-nano", "h100", "l4")
    )


def not_loaded(name: CompilerName) -> NoReturn:
    raise AssertionError(f"{name} was loaded")


def machine(*modules: str, board: str | None = None, state: DriverState = NO_GPU) -> Environment:
    folders = (JETPACK,) if board else (Path("/venv/site-packages"),)
    return Environment(
        probe_driver=lambda: state,
        make_compiler=not_loaded,
        package_version=lambda name: None,
        board=lambda: board,
        module_folders=lambda name: folders if name in modules else (),
        system_folders=lambda name: (JETPACK,) if board else (),
    )


def choose(
    bundle: Bundle, target: str, state: DriverState, environment: Environment
) -> CompilerName:
    return choose_compiler(bundle, load_profile(target), state, environment, None)


@pytest.mark.parametrize(
    ("target", "state", "modules", "board", "compiler"),
    [
        ("jetson-orin-nano", ORIN, ("tensorrt",), BOARD, "tensorrt"),
        ("h100", H100, ("tensorrt", "tensorrt_rtx"), None, "tensorrt"),
        ("l4", L4, ("tensorrt_rtx",), None, "tensorrt-rtx"),
        ("l4", NO_GPU, ("tensorrt_rtx",), None, "tensorrt-rtx"),
    ],
)
def test_what_can_build_here_is_chosen(
    target: str,
    state: DriverState,
    modules: tuple[str, ...],
    board: str | None,
    compiler: str,
    bundle: Bundle,
) -> None:
    assert choose(bundle, target, state, machine(*modules, board=board)) == compiler


@pytest.mark.parametrize("modules", [(), ("tensorrt_rtx",)])
@pytest.mark.parametrize("target", ["jetson-orin-nano", "h100"])
def test_on_a_laptop_the_bundle_goes_to_the_device(
    target: str, modules: tuple[str, ...], bundle: Bundle
) -> None:
    with pytest.raises(EngineError) as caught:
        build_target(bundle, target, environment=machine(*modules))
    message = str(caught.value)
    assert f"Copy the bundle to the {target} and build there" in message
    assert f"scp -r {bundle.path} DEVICE:" in message
    assert f"trm-edge build bundle --target {target}" in message
    stand_in = {"jetson-orin-nano": "8.0", "h100": "8.9"}[target]
    assert f"--compiler tensorrt-rtx --compute-capability {stand_in}" in message
    assert ("pip install tensorrt-rtx" in message) == (not modules)


def test_the_right_machine_without_tensorrt_is_told_to_install_it(bundle: Bundle) -> None:
    with pytest.raises(MissingExtraError, match="trm-edge\\[tensorrt\\]"):
        choose(bundle, "h100", H100, machine("tensorrt_rtx"))


def test_a_jetson_that_does_not_see_jetpack_is_told_how(bundle: Bundle) -> None:
    with pytest.raises(EngineError, match="--system-site-packages") as caught:
        build_target(bundle, "jetson-orin-nano", environment=machine(board=BOARD, state=ORIN))
    assert "pip install" not in str(caught.value)


def test_another_gpu_is_named(bundle: Bundle) -> None:
    with pytest.raises(EngineError, match=r"h100 has compute capability 9\.0, but this machine"):
        choose(bundle, "h100", ORIN, machine())


def test_tensorrt_rtx_is_not_offered_for_what_it_cannot_compile(bundle: Bundle) -> None:
    profile = load_profile("jetson-orin-nano")
    with pytest.raises(EngineError, match=r"does not compile for compute capability 8\.7"):
        capability_of(bundle, profile, "tensorrt-rtx", NO_GPU, machine(), None)
    assert capability_of(bundle, profile, "tensorrt-rtx", NO_GPU, machine(), "8.0") == "8.0"


def test_a_named_compute_capability_means_tensorrt_rtx(bundle: Bundle) -> None:
    profile = load_profile("jetson-orin-nano")
    assert choose_compiler(bundle, profile, NO_GPU, machine(), "8.0") == "tensorrt-rtx"
