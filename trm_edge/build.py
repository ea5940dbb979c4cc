"""A target of a bundle becomes an engine beside its step graph."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace

from trm_edge.bundle import Bundle
from trm_edge.engines.builder import BuildOptions, build_engine, layer_information
from trm_edge.engines.compiler import Compiler, CompilerName
from trm_edge.engines.driver import DriverState, Gpu, probe
from trm_edge.engines.record import (
    ENGINE,
    LAYERS,
    LOG,
    RECORD,
    TIMING_CACHE,
    EngineRecord,
)
from trm_edge.errors import EngineError
from trm_edge.files import write_bytes, write_text
from trm_edge.profile import TargetProfile
from trm_edge.step import step_inputs
from trm_edge.targets.profiles import load_profile

logger = logging.getLogger(__name__)

FP8_SINCE = (8, 9)  # compute capability


def build_target(
    bundle: Bundle,
    profile: TargetProfile,
    compiler_name: CompilerName,
    *,
    compute_capability: str | None = None,
    batch: tuple[int, int, int] | None = None,
    optimization_level: int | None = None,
    probe_driver: Callable[[], DriverState] = probe,
    make_compiler: Callable[[CompilerName], Compiler] = Compiler,
) -> EngineRecord:
    """Compile a target's step graph; the engine, its record, log and timing cache come beside it.

    Args:
        compute_capability: to compile for with TensorRT-RTX; that of the GPU here by default, and
            the profile's where there is none.
        batch: least, usual and most slots; the profile's by default.

    Raises:
        BundleError: the bundle has no such target.
        EngineError: there is no GPU and the compiler needs one, the GPU is of another kind than
            the target's, it lacks the precision, or the compiler fails (its log is kept).
        MissingExtraError: the compiler is not installed.
    """
    name, target = bundle.target(profile.name)
    if profile.engine != "tensorrt":
        raise EngineError(
            f"{name} needs no engine: its step graph is run by ONNX Runtime as it is."
        )
    state = probe_driver()
    gpu = state.gpus[0] if state.gpus else None
    capability = _capability(profile, compiler_name, gpu, state, compute_capability)
    if target.precision == "fp8" and _numbers(capability) < FP8_SINCE:
        raise EngineError(
            f"{name} holds an FP8 graph, and compute capability {capability} has no FP8; it begins "
            f"with {'.'.join(map(str, FP8_SINCE))}. Export with --int8 or --fp16 for it."
        )
    compiler = make_compiler(compiler_name)
    options = BuildOptions.of(profile, None if compiler.needs_gpu else capability)
    options = replace(options, batch=batch or profile.batch, optimization_level=optimization_level)
    graph = bundle.path / target.step
    folder = graph.parent
    cache = folder / TIMING_CACHE
    logger.info(f"{compiler.name} {compiler.version}, compute capability {capability}")
    try:
        built = build_engine(
            graph,
            bundle.config,
            target.carry,
            options,
            compiler,
            cache.read_bytes() if cache.exists() else None,
        )
    finally:
        write_text(folder / LOG, str(compiler.log))
    record = EngineRecord(
        engine_sha256=hashlib.sha256(built.content).hexdigest(),
        engine_size=len(built.content),
        graph_sha256=bundle.manifest.files[target.step].sha256,
        compiler=compiler.name,
        compiler_version=compiler.version,
        gpu=gpu.name if gpu and compiler.needs_gpu else "",
        compute_capability=capability,
        driver=state.version if compiler.needs_gpu else "",
        batch=options.batch,
        workspace_mb=options.workspace_mb,
        optimization_level=optimization_level,
        seconds=round(built.seconds, 2),
        warnings=built.warnings,
    )
    # A kill between these leaves an engine whose hash is not its record's, which is refused.
    write_bytes(folder / ENGINE, built.content)
    if built.timing_cache is not None:
        write_bytes(cache, built.timing_cache)
    write_text(folder / RECORD, record.to_json())
    (folder / LAYERS).unlink(missing_ok=True)
    if gpu is not None:  # without one an engine cannot be opened
        write_text(folder / LAYERS, layer_information(compiler, built.content))
    return record


def profile_of(bundle: Bundle, target: str | None) -> TargetProfile:
    """The profile to build for: the one that is named, else the bundle's only one for a GPU.

    Raises:
        ConfigError: there is no such target.
        EngineError: nothing is named, and the bundle has none or several.
    """
    if target is not None:
        return load_profile(target)
    names = [name for name in bundle.manifest.targets if name != "cpu"]
    if len(names) != 1:
        has = ", ".join(bundle.manifest.targets)
        raise EngineError(
            f"{bundle.path} has the targets {has}: "
            + ("name one with --target." if names else "none needs an engine. Export for a device.")
        )
    return load_profile(names[0])


def trtexec_line(bundle: Bundle, profile: TargetProfile) -> str:
    """The command of NVIDIA's own tool that builds the same engine."""
    _, target = bundle.target(profile.name)
    graph = bundle.path / target.step
    inputs = step_inputs(bundle.config, target.carry)
    shapes = [
        ",".join(
            f"{spec.name}:{'x'.join(str(slots if axis is None else axis) for axis in spec.shape)}"
            for spec in inputs
        )
        for slots in profile.batch
    ]
    return " ".join(
        [
            f"trtexec --onnx={graph}",
            f"--saveEngine={graph.parent / ENGINE}",
            "--stronglyTyped --noTF32",
            f"--memPoolSize=workspace:{profile.workspace_mb}M",
            f"--timingCacheFile={graph.parent / TIMING_CACHE}",
            *(
                f"--{which}Shapes={shape}"
                for which, shape in zip(("min", "opt", "max"), shapes, strict=True)
            ),
        ]
    )


def _capability(
    profile: TargetProfile,
    compiler: CompilerName,
    gpu: Gpu | None,
    state: DriverState,
    asked: str | None,
) -> str:
    if compiler == "tensorrt-rtx":
        return asked or (gpu.compute_capability if gpu else profile.compute_capability)
    if asked is not None:
        raise EngineError(
            "TensorRT compiles for the GPU that is here; --compute-capability goes with "
            "--compiler tensorrt-rtx."
        )
    if gpu is None:
        raise EngineError(
            f"TensorRT builds on the device that the engine is for, but there is no GPU here: "
            f"{state.problem}. Copy the bundle to the {profile.name} and run trm-edge build there, "
            "or try whether it compiles with: --compiler tensorrt-rtx"
        )
    if gpu.compute_capability != profile.compute_capability:
        raise EngineError(
            f"{profile.name} has compute capability {profile.compute_capability}, but this is {gpu}"
            ". Build on the device that the engine is for, or export for this one."
        )
    return gpu.compute_capability


def _numbers(capability: str) -> tuple[int, ...]:
    return tuple(int(part) for part in capability.split("."))
