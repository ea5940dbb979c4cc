"""Build the engine of a bundle's target, beside its step graph; runs on the device."""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from trm_edge.backends.environment import Environment
from trm_edge.bundle import Bundle
from trm_edge.compiler_choice import capability_of, choose_compiler
from trm_edge.engines.builder import BuildOptions, BuiltEngine, build_engine, layer_information
from trm_edge.engines.compiler import Compiler, CompilerName
from trm_edge.engines.driver import DriverState
from trm_edge.engines.logged_layers import layers_from_log
from trm_edge.engines.record import ENGINE, LAYERS, LOG, RECORD, TIMING_CACHE, EngineRecord
from trm_edge.engines.shapes import batch_shape
from trm_edge.errors import EngineError
from trm_edge.files import check_writable, read_bytes, write_bytes, write_text
from trm_edge.graph_guard import check_graph
from trm_edge.manifest import TargetRecord
from trm_edge.profile import TargetProfile, shipped_profile
from trm_edge.step import step_inputs

logger = logging.getLogger(__name__)

_MAX_TIMING_CACHE_BYTES = 256 << 20
OLDEST_FP8 = (8, 9)  # compute capability


def build_target(
    bundle: Bundle,
    name: str,
    compiler_name: CompilerName | None = None,
    *,
    compute_capability: str | None = None,
    batch: tuple[int, int, int] | None = None,
    optimization_level: int | None = None,
    environment: Environment | None = None,
) -> EngineRecord:
    """Compile a target's step graph; writes engine, record, log and timing cache beside it.

    Args:
        bundle: the bundle, which is written to.
        name: name of the target.
        compiler_name: the compiler to use; None for TensorRT where it is installed, else
            TensorRT-RTX if it compiles for the target.
        compute_capability: TensorRT-RTX only: what to compile for; by default that of this
            machine's GPU, or the target's where there is no GPU.
        batch: minimum, optimum and maximum number of slots; the profile's by default.
        optimization_level: 0 to 5; the compiler's default where it is None.
        environment: the machine; this one by default.

    Returns:
        The record that was written beside the engine.

    Raises:
        BundleError: the bundle has no such target.
        OutputError: the bundle's folder is not writable.
        EngineError: the target needs no engine; there is no GPU and the compiler needs one; the GPU
            has another compute capability or does not support the precision; or the compiler fails
            (its log is written).
        MissingExtraError: the compiler is not installed.
    """
    environment = environment or Environment()
    name, target = bundle.target(name)
    profile = profile_of(bundle, name)
    _require_engine_target(bundle, name)
    state = environment.probe_driver()
    if compiler_name is None:
        compiler_name = choose_compiler(bundle, profile, state, environment, compute_capability)
    capability = capability_of(
        bundle, profile, compiler_name, state, environment, compute_capability
    )
    _check_precision(name, target, capability)
    graph = bundle.path / target.step
    check_writable(graph.parent / ENGINE)
    compiler = environment.make_compiler(compiler_name)
    options = BuildOptions(
        batch=batch or profile.batch,
        workspace_mb=profile.workspace_mb,
        optimization_level=optimization_level,
    )
    if not compiler.needs_gpu:
        options = replace(options, compute_capability=capability)
    logger.info("%s %s, compute capability %s", compiler.name, compiler.version, capability)
    engine = _compile(bundle, target, options, compiler)
    record = _record(bundle, target, engine, options, compiler, capability, state)
    _write(graph.parent, engine, record)
    _write_layers(graph.parent, engine, compiler, has_gpu=bool(state.gpus))
    return record


def gpu_target(bundle: Bundle, name: str | None = None) -> str:
    """Find the target to build an engine for.

    Args:
        bundle: the bundle.
        name: name of the target; None for the bundle's only target that needs an engine.

    Returns:
        The target's name.

    Raises:
        BundleError: there is no target of that name.
        EngineError: the target needs no engine; or no name was given, and no target or several
            targets need one.
    """
    if name is not None:
        name, _ = bundle.target(name)
        _require_engine_target(bundle, name)
        return name
    names = [target for target in bundle.manifest.targets if _needs_engine(bundle, target)]
    if not names:
        raise EngineError(
            f"no target of {bundle.path} needs an engine; it has "
            f"{', '.join(bundle.manifest.targets)}. Export the checkpoint for the device, with "
            "--target NAME; trm-edge targets lists the names."
        )
    if len(names) > 1:
        raise EngineError(
            f"{bundle.path} has several targets that need an engine: {', '.join(names)}. Choose "
            "one with --target."
        )
    return names[0]


def _require_engine_target(bundle: Bundle, name: str) -> None:
    if profile_of(bundle, name).engine != "tensorrt":
        raise EngineError(
            f"{name} needs no engine: ONNX Runtime runs its step graph as it is. Solve with it at "
            f"once: trm-edge solve {bundle.path} --target {name}"
        )


def profile_of(bundle: Bundle, name: str) -> TargetProfile:
    """Return the profile that a target was exported for.

    Args:
        bundle: the bundle.
        name: name of the target.

    Raises:
        BundleError: the bundle has no such target.
        EngineError: the bundle was written before profiles were recorded, and no profile of that
            name is shipped.
    """
    name, target = bundle.target(name)
    profile = target.profile or shipped_profile(name)
    if profile is None:
        raise EngineError(
            f"{bundle.path} does not say what the target {name} is: an older version of trm-edge "
            "wrote it. Export it again with this one."
        )
    return profile


def trtexec_line(bundle: Bundle, name: str) -> str:
    """Write the command of NVIDIA's ``trtexec`` that builds the same engine.

    Args:
        bundle: the bundle.
        name: name of the target.

    Raises:
        BundleError: the bundle has no such target.
        EngineError: the target's profile is unknown; see :func:`profile_of`.
    """
    name, target = bundle.target(name)
    profile = profile_of(bundle, name)
    graph = bundle.path / target.step
    parts = [
        "trtexec",
        f"--onnx={graph}",
        f"--saveEngine={graph.parent / ENGINE}",
        "--stronglyTyped",
        "--noTF32",
        f"--memPoolSize=workspace:{profile.workspace_mb}M",
        f"--timingCacheFile={graph.parent / TIMING_CACHE}",
    ]
    for option, slots in zip(("min", "opt", "max"), profile.batch, strict=True):
        parts.append(f"--{option}Shapes={_trtexec_shapes(bundle, target, slots)}")
    return " ".join(parts)


def _trtexec_shapes(bundle: Bundle, target: TargetRecord, slots: int) -> str:
    shapes = []
    for spec in step_inputs(bundle.config, target.carry, noise=target.noise):
        axes = "x".join(map(str, batch_shape(spec, slots)))
        shapes.append(f"{spec.name}:{axes}")
    return ",".join(shapes)


def _compile(
    bundle: Bundle, target: TargetRecord, options: BuildOptions, compiler: Compiler
) -> BuiltEngine:
    """Compile, and write the log even where that fails."""
    graph = bundle.path / target.step
    cache = graph.parent / TIMING_CACHE
    content = bundle.read(target.step)
    check_graph(content, bundle.config, target.carry, str(graph), noise=target.noise)
    timing_cache = None
    with suppress(OSError):  # it only makes the build quicker
        timing_cache = read_bytes(cache, _MAX_TIMING_CACHE_BYTES)
    try:
        return build_engine(
            graph,
            bundle.config,
            target.carry,
            options,
            compiler,
            timing_cache,
            noise=target.noise,
        )
    finally:
        write_text(graph.parent / LOG, str(compiler.log))


def _record(
    bundle: Bundle,
    target: TargetRecord,
    engine: BuiltEngine,
    options: BuildOptions,
    compiler: Compiler,
    capability: str,
    state: DriverState,
) -> EngineRecord:
    gpu = ""
    driver = ""
    if compiler.needs_gpu:
        gpu = state.gpus[0].name
        driver = state.version
    return EngineRecord(
        engine_sha256=hashlib.sha256(engine.content).hexdigest(),
        engine_size=len(engine.content),
        graph_sha256=bundle.manifest.files[target.step].sha256,
        compiler=compiler.name,
        compiler_version=compiler.version,
        gpu=gpu,
        compute_capability=capability,
        driver=driver,
        batch=options.batch,
        workspace_mb=options.workspace_mb,
        optimization_level=options.optimization_level,
        seconds=round(engine.seconds, 2),
        warnings=engine.warnings,
    )


def _write(folder: Path, engine: BuiltEngine, record: EngineRecord) -> None:
    """Write the engine first: a kill leaves one that its record does not fit, which is refused."""
    write_bytes(folder / ENGINE, engine.content)
    if engine.timing_cache is not None:
        write_bytes(folder / TIMING_CACHE, engine.timing_cache)
    record.write(folder / RECORD)
    (folder / LAYERS).unlink(missing_ok=True)


def _write_layers(folder: Path, engine: BuiltEngine, compiler: Compiler, *, has_gpu: bool) -> None:
    """Write what became of each layer: from the engine, or from the log where none can open it."""
    layers: str | None
    if has_gpu:
        layers = layer_information(compiler, engine.content)
    else:
        layers = layers_from_log(compiler.log)
    if layers is not None:
        write_text(folder / LAYERS, layers)


def _needs_engine(bundle: Bundle, name: str) -> bool:
    """Bundles without profiles have one target without an engine, which is called cpu."""
    profile = bundle.manifest.targets[name].profile
    if profile is None:
        return name != "cpu"
    return profile.engine == "tensorrt"


def _check_precision(name: str, target: TargetRecord, capability: str) -> None:
    numbers = tuple(int(part) for part in capability.split("."))
    if target.precision == "fp8" and numbers < OLDEST_FP8:
        raise EngineError(
            f"{name} has an FP8 step graph, but compute capability {capability} does not support "
            f"FP8, which needs {'.'.join(map(str, OLDEST_FP8))} or newer. Export with --int8 or "
            "--fp16 for it."
        )
