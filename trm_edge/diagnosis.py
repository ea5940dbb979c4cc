"""What is wrong with an installation, and the command that mends it."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from trm_edge.backends.environment import Environment
from trm_edge.engines.driver import DriverState
from trm_edge.requirements import numbers, unmet_requirements

# Distributions that install the one folder `onnxruntime`, the plain one first.
ONNXRUNTIMES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "onnxruntime-migraphx",
    "onnxruntime-openvino",
    "onnxruntime-rocm",
    "onnxruntime-training",
    "onnxruntime-trt-rtx",
    "onnxruntime-webgpu",
)
# Distributions whose `tensorrt` comes from pip, and those that are built for one CUDA.
_PIP_TENSORRT = ("tensorrt", "tensorrt-cu12", "tensorrt-cu13")
_PIP_TENSORRT_PARTS = (
    "tensorrt-cu12-bindings",
    "tensorrt-cu12-libs",
    "tensorrt-cu13-bindings",
    "tensorrt-cu13-libs",
)
_CUDA_PACKAGES = {"tensorrt-cu12": 12, "tensorrt-cu13": 13}
_OLDEST_DRIVER = {12: "525", 13: "580"}  # NVIDIA's driver on Linux by CUDA's major version
_JETSON_TENSORRT = (11, 4, 1)  # pip's TensorRT works on a Jetson from this version on
_JETSON_BOARDS = ("AGX Orin", "AGX Thor", "Jetson Thor")  # and on these boards alone


@dataclass(frozen=True)
class Problem:
    """Something that keeps this machine from doing what it could.

    Args:
        id: a stable identifier.
        problem: what is wrong, a clause.
        remedy: what to do about it, a sentence or several.
    """

    id: str
    problem: str
    remedy: str


def find_problems(environment: Environment, state: DriverState) -> tuple[Problem, ...]:
    """Examine what is installed; nothing is imported.

    Args:
        environment: the machine.
        state: its driver and GPUs.
    """
    problems = _unmet(environment)
    for problem in (
        shared_onnxruntime(environment),
        tensorrt_problem(environment),
        _old_driver(environment, state),
    ):
        if problem is not None:
            problems.append(problem)
    return tuple(problems)


def shared_onnxruntime(environment: Environment) -> Problem | None:
    """Find two distributions of ONNX Runtime, of which the later one overwrote the earlier one.

    Args:
        environment: the machine.
    """
    installed = []
    for name in ONNXRUNTIMES:
        version = environment.package_version(name)
        if version is not None:
            installed.append((name, version))
    if len(installed) < 2:
        return None
    described = " and ".join(f"{name} {version}" for name, version in installed)
    names = " ".join(name for name, _ in installed)
    chosen, version = installed[-1]
    return Problem(
        "onnxruntime_twice",
        f"{described} are both installed into one folder, so one has overwritten the other",
        f"Keep one of them: pip uninstall -y {names} && pip install --no-deps "
        f"{chosen}=={version} (on a Jetson: the wheel that it came from, instead of its name).",
    )


def tensorrt_problem(environment: Environment) -> Problem | None:
    """Find a Jetson whose environment does not see JetPack's TensorRT, or sees another one.

    Args:
        environment: the machine.
    """
    board = environment.board()
    if board is None:
        return None
    seen = environment.module_folders("tensorrt")
    of_system = environment.system_folders("tensorrt")
    if not seen:
        return _hidden_tensorrt(board, of_system)
    if seen[0] in of_system or "dist-packages" in seen[0].parts:
        return None
    installed = [name for name in _PIP_TENSORRT if environment.package_version(name) is not None]
    versions = [environment.package_version(name) or "" for name in installed]
    is_supported = any(part in board for part in _JETSON_BOARDS) and any(
        numbers(version) >= _JETSON_TENSORRT for version in versions
    )
    if is_supported:
        return None
    parts = [name for name in _PIP_TENSORRT_PARTS if environment.package_version(name) is not None]
    others = [*seen[1:], *of_system]
    jetpack = f", and hides JetPack's in {others[0]}" if others else ""
    return Problem(
        "tensorrt_shadowed",
        f"tensorrt is imported from {seen[0]}{jetpack}: pip's does not compile for {board} "
        '("Target GPU SM 87 is not supported")',
        f"Remove it: {_pip()} uninstall -y {' '.join([*(installed or ['tensorrt']), *parts])}. "
        f"{_see_system_packages()}",
    )


def _hidden_tensorrt(board: str, of_system: tuple[Path, ...]) -> Problem:
    if not of_system:
        return Problem(
            "tensorrt_hidden",
            f"TensorRT is not installed on this {board}",
            "Install JetPack's: sudo apt install nvidia-jetpack. Not pip's: it does not compile "
            f"for this board. {_see_system_packages()}",
        )
    folder = of_system[0]
    version = _python_of(folder)
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    if version not in (None, own, "3"):
        return Problem(
            "tensorrt_hidden",
            f"JetPack's TensorRT in {folder} is for Python {version}, but this is Python {own}",
            f"Make an environment of that Python: python{version} -m venv "
            "--system-site-packages trm && . trm/bin/activate, and install trm-edge in it.",
        )
    return Problem(
        "tensorrt_hidden",
        f"this environment does not see JetPack's TensorRT in {folder}",
        _see_system_packages(),
    )


def _see_system_packages() -> str:
    """Say how an environment gets to see the system's packages; what is installed in it stays."""
    folder = "trm"
    if sys.prefix != sys.base_prefix:
        folder = shlex.quote(sys.prefix)
    return (
        "The environment must see JetPack's packages: python3 -m venv --system-site-packages "
        f"{folder} (of an existing environment it keeps what is installed)."
    )


def _old_driver(environment: Environment, state: DriverState) -> Problem | None:
    if not state.version:
        return None
    supported = numbers(state.version)[0]
    for package, needed in _cuda_needs(environment).items():
        if needed > supported:
            return Problem(
                "driver_too_old",
                f"the driver supports CUDA {state.version}, but {package} needs CUDA {needed}",
                _newer_driver(environment, supported, needed),
            )
    return None


def _cuda_needs(environment: Environment) -> dict[str, int]:
    """CUDA's major version that each installed package is built for."""
    needs = {}
    for package, major in _CUDA_PACKAGES.items():
        if environment.package_version(package) is not None:
            needs[package] = major
    for package in ("cuda-python", "cuda-bindings"):
        version = environment.package_version(package)
        if version is not None and numbers(version):
            needs[f"{package} {version}"] = numbers(version)[0]
    return needs


def _newer_driver(environment: Environment, supported: int, needed: int) -> str:
    older = f"'cuda-python>={supported},<{supported + 1}'"
    if environment.board() is not None:
        return f"Install what fits this JetPack: pip install {older}"
    remedy = f"Update NVIDIA's driver to {_OLDEST_DRIVER.get(needed, 'the newest')} or newer"
    if supported not in _OLDEST_DRIVER:
        return f"{remedy}."
    newer = f"tensorrt-cu{needed}"
    uninstall = ""
    if environment.package_version(newer) is not None:
        uninstall = f"pip uninstall -y tensorrt {newer} {newer}-bindings {newer}-libs && "
    return (
        f"{remedy}, or install packages for CUDA {supported}: {uninstall}"
        f"pip install tensorrt-cu{supported} {older}"
    )


def _unmet(environment: Environment) -> list[Problem]:
    problems = []
    for package in unmet_requirements(environment.package_version):
        kind = "package_missing" if package.installed is None else "package_too_old"
        remedy = f"Install it with: pip install '{package.requirement}'"
        problems.append(Problem(kind, str(package), remedy))
    return problems


def _python_of(folder: Path) -> str | None:
    version = re.fullmatch(r"python(3(?:\.\d+)?)", folder.parent.name)
    return version[1] if version else None


def _pip() -> str:
    return f"{shlex.quote(sys.executable)} -m pip"
