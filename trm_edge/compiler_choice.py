"""Which compiler builds a target's engine on this machine, or on which machine to build it."""

from __future__ import annotations

import re
import shlex

from trm_edge.backends.environment import Environment
from trm_edge.bundle import Bundle
from trm_edge.diagnosis import tensorrt_problem
from trm_edge.engines.compiler import RTX_CAPABILITIES, CompilerName, rtx_check
from trm_edge.engines.driver import DriverState
from trm_edge.errors import EngineError, MissingExtraError
from trm_edge.profile import TargetProfile

_RTX_MODULE = "tensorrt_rtx"


def choose_compiler(
    bundle: Bundle,
    profile: TargetProfile,
    state: DriverState,
    environment: Environment,
    requested: str | None,
) -> CompilerName:
    """Choose TensorRT where it is installed, else TensorRT-RTX if it can compile for the target.

    Args:
        bundle: what is built.
        profile: the target's profile.
        state: this machine's driver and GPUs.
        environment: this machine.
        requested: compute capability that the user asked for, such as ``"8.9"``; None for none.

    Raises:
        EngineError: neither can; says where to build the engine.
        MissingExtraError: this machine is the right one, and TensorRT is not installed.
    """
    if requested is not None and not environment.module_folders("tensorrt"):
        return "tensorrt-rtx"  # the only one that compiles for a named compute capability
    problem = tensorrt_problem(environment)
    if problem is not None:
        raise EngineError(f"{problem.problem}. {problem.remedy}")
    if environment.module_folders("tensorrt"):
        return "tensorrt"
    is_device = _is_device(profile, state)
    capability = profile.compute_capability
    if state.gpus:
        capability = state.gpus[0].compute_capability
    has_rtx = bool(environment.module_folders(_RTX_MODULE))
    if has_rtx and capability in RTX_CAPABILITIES:
        return "tensorrt-rtx"
    if is_device:
        raise MissingExtraError("tensorrt", "tensorrt", "An engine")
    raise EngineError(_build_there(bundle, profile, state, environment))


def capability_of(
    bundle: Bundle,
    profile: TargetProfile,
    compiler: CompilerName,
    state: DriverState,
    environment: Environment,
    requested: str | None,
) -> str:
    """Find the compute capability to compile for.

    Args:
        bundle: what is built.
        profile: the target's profile.
        compiler: what compiles.
        state: this machine's driver and GPUs.
        environment: this machine.
        requested: what the user asked for, such as ``"8.9"``; None for none.

    Raises:
        EngineError: the compiler cannot compile for it on this machine; says what can.
    """
    if requested is not None and not re.fullmatch(r"\d+\.\d", requested):
        raise EngineError(f"a compute capability is written like 8.7, but got {requested!r}.")
    if compiler == "tensorrt-rtx":
        actual = state.gpus[0].compute_capability if state.gpus else profile.compute_capability
        capability = requested or actual
        is_installed = bool(environment.module_folders(_RTX_MODULE))
        if not is_installed and capability not in RTX_CAPABILITIES:
            advice = _build_there(bundle, profile, state, environment)
            raise EngineError(
                f"TensorRT-RTX does not compile for compute capability {capability}; it supports "
                f"{', '.join(RTX_CAPABILITIES)}. {advice}"
            )
        return capability
    if requested is not None:
        raise EngineError(
            "TensorRT compiles only for this machine's GPU; --compute-capability needs "
            "--compiler tensorrt-rtx."
        )
    if not _is_device(profile, state):
        raise EngineError(_build_there(bundle, profile, state, environment))
    return state.gpus[0].compute_capability


def _is_device(profile: TargetProfile, state: DriverState) -> bool:
    return bool(state.gpus) and state.gpus[0].compute_capability == profile.compute_capability


def _build_there(
    bundle: Bundle, profile: TargetProfile, state: DriverState, environment: Environment
) -> str:
    """Say on which machine to build, and how to check the graph on this one."""
    if state.gpus:
        reason = (
            f"{profile.name} has compute capability {profile.compute_capability}, but this machine "
            f"has {state.gpus[0]}"
        )
    else:
        reason = f"this machine has no GPU ({state.problem})"
    advice = "\n".join(device_commands(bundle, profile.name))
    check = rtx_check(profile.compute_capability)
    install = ""
    if not environment.module_folders(_RTX_MODULE):
        install = " (after: pip install tensorrt-rtx)"
    return (
        f"TensorRT builds an engine on the device that runs it, and {reason}. Copy the bundle "
        f"to the {profile.name} and build there:\n{advice}\n"
        f"To check here that the graph compiles: trm-edge build "
        f"{shlex.quote(str(bundle.path))} --target {profile.name} {check}{install}"
    )


def device_commands(bundle: Bundle, target: str) -> tuple[str, str]:
    """Write the commands that copy a bundle to its device and build the engine there.

    Args:
        bundle: what is built.
        target: name of the target.
    """
    name = shlex.quote(bundle.path.resolve().name)
    copy = f"  scp -r {shlex.quote(str(bundle.path))} DEVICE:"
    return copy, f"  trm-edge build {name} --target {target}      # on the device"
