"""An examination of this machine: what is installed, and what trm-edge can do with it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass

from trm_edge import __version__, records
from trm_edge.backends.environment import Environment
from trm_edge.backends.integer_kernels import kernels_are_exact
from trm_edge.backends.onnxruntime_session import CPU_PROVIDER, CUDA_PROVIDER
from trm_edge.diagnosis import Problem, find_problems, tensorrt_problem
from trm_edge.engines.driver import DriverState
from trm_edge.requirements import OLDEST
from trm_edge.threads import available_cores

FORMAT = records.Format("trm-edge.doctor", 1)

EXPORT_PACKAGES = (  # those of the extra `export`
    "torch",
    "onnx",
    "nvidia-modelopt",
    "pyyaml",
    "ml_dtypes",
    "requests",
    "huggingface_hub",
)
COMPILERS = ("tensorrt", "tensorrt-rtx")
CUDA_PACKAGES = ("cuda-python", "cuda-bindings")  # either gives the CUDA runtime
OWN_PACKAGES = tuple(OLDEST)  # what trm-edge itself needs
PACKAGES = (*OWN_PACKAGES, "onnxruntime-gpu", *EXPORT_PACKAGES, *COMPILERS, *CUDA_PACKAGES)

_INSTALL_TENSORRT = (
    "Install it with: pip install 'trm-edge[tensorrt]'. On a Jetson, JetPack installs TensorRT: "
    "use a virtual environment made with --system-site-packages."
)
_INSTALL_RTX = "Install it with: pip install 'trm-edge[rtx]'"
_INSTALL_CUDA = (
    "Install it with: pip install 'trm-edge[tensorrt]'; on a Jetson with JetPack 6: pip install "
    "'trm-edge[jetpack6]', with JetPack 7: pip install 'trm-edge[jetpack7]'"
)


@dataclass(frozen=True)
class GpuReport:
    """A GPU that the driver sees.

    Args:
        name: the driver's name for it.
        compute_capability: such as ``"8.7"``.
        memory_bytes: size of its memory; on a Jetson it is shared with the CPU.
    """

    name: str
    compute_capability: str
    memory_bytes: int


@dataclass(frozen=True)
class DriverReport:
    """NVIDIA's driver.

    Args:
        cuda: newest CUDA version that it supports, such as ``"12.6"``; None without a driver.
        problem: why there is no GPU; None where there is one.
    """

    cuda: str | None
    problem: str | None


@dataclass(frozen=True)
class Ability:
    """Something that trm-edge can or cannot do on this machine.

    Args:
        id: a stable identifier.
        available: True where it can be done.
        reason: the first thing that is missing; None where it can be done.
        remedy: what to do about it; None where it can be done.
    """

    id: str
    available: bool
    reason: str | None = None
    remedy: str | None = None


@dataclass(frozen=True)
class DoctorReport:
    """The content of ``trm-edge doctor --json``, ``trm-edge.doctor/1``.

    Args:
        trm_edge: version of trm-edge.
        python: version of Python.
        system: operating system, its release and the machine's architecture.
        cpu: name of the CPU or of the board.
        cores: CPU cores that this process may use.
        packages: version by package; None where it is not installed.
        driver: NVIDIA's driver.
        gpus: the GPUs that it sees.
        abilities: what can be done, in the order of the workflow.
        board: name of the Jetson that this is; None on another machine.
        problems: what is installed wrongly, and what mends it.
    """

    trm_edge: str
    python: str
    system: str
    cpu: str
    cores: int
    packages: Mapping[str, str | None]
    driver: DriverReport
    gpus: tuple[GpuReport, ...]
    abilities: tuple[Ability, ...]
    board: str | None = None
    problems: tuple[Problem, ...] = ()


def examine(environment: Environment | None = None) -> DoctorReport:
    """Examine a machine; nothing heavy is imported.

    Args:
        environment: the machine; this one by default.
    """
    environment = environment or Environment()
    state = environment.probe_driver()
    packages = {name: environment.package_version(name) for name in PACKAGES}
    if packages["tensorrt"] is None and environment.module_folders("tensorrt"):
        packages["tensorrt"] = "of the system"  # a module without a distribution
    advice = _tensorrt_advice(environment)
    providers = environment.providers()
    gpus = []
    for gpu in state.gpus:
        gpus.append(GpuReport(gpu.name, gpu.compute_capability, gpu.memory))
    return DoctorReport(
        trm_edge=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}, {platform.machine()}",
        cpu=_cpu(),
        cores=available_cores(),
        packages=packages,
        driver=DriverReport(state.version or None, state.problem or None),
        gpus=tuple(gpus),
        abilities=(
            _solve_cpu(providers),
            _exact_int8(providers),
            _export(packages),
            _build_tensorrt(state, packages, advice),
            _build_tensorrt_rtx(packages),
            _run_engines(state, packages, advice),
            _solve_onnxruntime_cuda(state, providers, packages, environment.board()),
        ),
        board=environment.board(),
        problems=find_problems(environment, state),
    )


def _tensorrt_advice(environment: Environment) -> str:
    problem = tensorrt_problem(environment)
    return _INSTALL_TENSORRT if problem is None else problem.remedy


def _solve_cpu(providers: tuple[str, ...]) -> Ability:
    name = "solve_cpu"
    if CPU_PROVIDER in providers:
        return Ability(name, True)
    reason = f"ONNX Runtime is not installed, or has no {CPU_PROVIDER}"
    return Ability(name, False, reason, "Install it with: pip install onnxruntime")


def _exact_int8(providers: tuple[str, ...]) -> Ability:
    """Multiply the largest INT8 values; kernels for x64 without VNNI saturate."""
    name = "exact_int8"
    if CPU_PROVIDER not in providers:
        reason = f"ONNX Runtime is not installed, or has no {CPU_PROVIDER}"
        return Ability(name, False, reason, "Install it with: pip install onnxruntime")
    if kernels_are_exact():
        return Ability(name, True)
    return Ability(
        name,
        False,
        "this CPU has no VNNI, and its kernels saturate at the largest values",
        "Bundles that this version exports stay below them and are exact here too; export those "
        "of earlier versions again.",
    )


def _export(packages: Mapping[str, str | None]) -> Ability:
    missing = [name for name in EXPORT_PACKAGES if packages[name] is None]
    if not missing:
        return Ability("export", True)
    reason = f"not installed: {', '.join(missing)}"
    return Ability("export", False, reason, "Install with: pip install 'trm-edge[export]'")


def _build_tensorrt(state: DriverState, packages: Mapping[str, str | None], advice: str) -> Ability:
    name = "build_tensorrt"
    if not state.gpus:
        remedy = state.remedy or "Run trm-edge build on the device that will run the engine."
        return Ability(name, False, state.problem, remedy)
    if packages["tensorrt"] is None:
        return Ability(name, False, "tensorrt is not installed", advice)
    return Ability(name, True)


def _build_tensorrt_rtx(packages: Mapping[str, str | None]) -> Ability:
    """TensorRT-RTX compiles without a GPU."""
    name = "build_tensorrt_rtx"
    if packages["tensorrt-rtx"] is None:
        return Ability(name, False, "tensorrt-rtx is not installed", _INSTALL_RTX)
    return Ability(name, True)


def _run_engines(state: DriverState, packages: Mapping[str, str | None], advice: str) -> Ability:
    name = "run_engines"
    if not state.gpus:
        remedy = state.remedy or "Run trm-edge on a machine with an NVIDIA GPU and its driver."
        return Ability(name, False, state.problem, remedy)
    if all(packages[compiler] is None for compiler in COMPILERS):
        reason = "neither tensorrt nor tensorrt-rtx is installed"
        return Ability(name, False, reason, advice)
    if all(packages[package] is None for package in CUDA_PACKAGES):
        return Ability(name, False, "cuda-python is not installed", _INSTALL_CUDA)
    return Ability(name, True)


def _solve_onnxruntime_cuda(
    state: DriverState,
    providers: tuple[str, ...],
    packages: Mapping[str, str | None],
    board: str | None,
) -> Ability:
    name = "solve_onnxruntime_cuda"
    if not state.gpus:
        remedy = state.remedy or "Run trm-edge on a machine with an NVIDIA GPU and its driver."
        return Ability(name, False, state.problem, remedy)
    if CUDA_PROVIDER not in providers:
        reason = f"ONNX Runtime has no {CUDA_PROVIDER}"
        return Ability(name, False, reason, _install_onnxruntime_gpu(packages, board))
    return Ability(name, True)


def _install_onnxruntime_gpu(packages: Mapping[str, str | None], board: str | None) -> str:
    """Install it in place of the plain package: both write into one folder."""
    if board is not None:
        return (
            "The package index has none for this board. Install the wheel that is built for this "
            "JetPack: pip uninstall -y onnxruntime && pip install --no-deps onnxruntime_gpu-*.whl"
        )
    uninstall = "pip uninstall -y onnxruntime onnxruntime-gpu && "
    if packages["onnxruntime"] is None and packages["onnxruntime-gpu"] is None:
        uninstall = ""
    return f"Install it with: {uninstall}pip install onnxruntime-gpu"


def _cpu() -> str:
    from trm_edge.evaluation.machine import Machine

    try:
        return Machine.current().cpu
    except ImportError:  # without ONNX Runtime, which the report must be able to say
        return platform.processor() or platform.machine()
