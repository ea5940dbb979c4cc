"""Compile a step graph into an engine with TensorRT or TensorRT-RTX.

Networks are strongly typed and no precision flag is set: the graph alone decides the precision.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trm_edge.config import ModelConfig
from trm_edge.engines.compiler import BuildLog, Compiler
from trm_edge.engines.shapes import batch_shape
from trm_edge.errors import EngineError
from trm_edge.profile import TargetProfile
from trm_edge.step import CarryType, TensorSpec, step_inputs


@dataclass(frozen=True)
class BuildOptions:
    """Settings of a build, beside its graph.

    Args:
        batch: minimum, optimum and maximum number of slots of the optimization profile.
        workspace_mb: scratch memory in MiB that the builder may use.
        compute_capability: such as ``"8.7"``; None for that of this machine's GPU.
        optimization_level: 0 to 5; None for the compiler's default.
    """

    batch: tuple[int, int, int]
    workspace_mb: int
    compute_capability: str | None = None
    optimization_level: int | None = None

    @classmethod
    def of(cls, profile: TargetProfile, compute_capability: str | None = None) -> BuildOptions:
        """Make the options of a target.

        Args:
            profile: the target's profile.
            compute_capability: such as ``"8.7"``; None for that of this machine's GPU.
        """
        return cls(profile.batch, profile.workspace_mb, compute_capability)


@dataclass(frozen=True)
class BuiltEngine:
    """A compiled engine.

    Args:
        content: the serialized engine.
        timing_cache: the compiler's measurements for the next build; None where it makes none.
        seconds: duration of the build.
        warnings: what the compiler logged as warnings.
    """

    content: bytes
    timing_cache: bytes | None
    seconds: float
    warnings: tuple[str, ...]


def build_engine(
    graph: Path,
    config: ModelConfig,
    carry: CarryType,
    options: BuildOptions,
    compiler: Compiler,
    timing_cache: bytes | None = None,
    *,
    noise: bool = False,
) -> BuiltEngine:
    """Compile a step graph.

    Args:
        graph: the step graph's file, ONNX.
        config: the model that it computes.
        carry: element type of the carries.
        options: settings of the build.
        compiler: what compiles it; receives the log.
        timing_cache: of an earlier build on the same device; used where the compiler keeps one.
        noise: the graph has inputs for noise.

    Raises:
        EngineError: the graph cannot be parsed or compiled; quotes the compiler's log.
    """
    trt = compiler.trt
    start = time.monotonic()
    earlier_lines = len(compiler.log.lines)
    builder = trt.Builder(compiler.logger)
    if builder is None:
        raise _failed(compiler, graph, "the builder could not be created")
    network = _parse(graph, builder, compiler)
    settings = _settings(builder, compiler, options)
    cache = _timing_cache(settings, compiler, timing_cache)
    inputs = step_inputs(config, carry, noise=noise)
    settings.add_optimization_profile(_shapes(builder, inputs, options.batch))
    engine = builder.build_serialized_network(network, settings)
    if engine is None:
        raise _failed(compiler, graph, "the compiler failed")
    measurements = None if cache is None else bytes(cache.serialize())
    log = BuildLog(compiler.log.lines[earlier_lines:])
    return BuiltEngine(
        content=bytes(engine),
        timing_cache=measurements,
        seconds=time.monotonic() - start,
        warnings=tuple(log.warnings),
    )


def layer_information(compiler: Compiler, engine: bytes) -> str:
    """Describe every layer of an engine, as the inspector's JSON.

    Args:
        compiler: the compiler that built it.
        engine: the serialized engine; opening it needs the GPU that it was built for.

    Raises:
        EngineError: the engine cannot be opened.
    """
    trt = compiler.trt
    runtime = trt.Runtime(compiler.logger)
    opened = runtime.deserialize_cuda_engine(engine)
    if opened is None:
        raise EngineError(
            f"{compiler.name} {compiler.version} cannot open the engine that it has just built: "
            f"{compiler.log.last_errors()}"
        )
    inspector = opened.create_engine_inspector()
    return str(inspector.get_engine_information(trt.LayerInformationFormat.JSON))


def _parse(graph: Path, builder: Any, compiler: Compiler) -> Any:
    flags = compiler.flags("NetworkDefinitionCreationFlag", "STRONGLY_TYPED")
    network = builder.create_network(flags)
    parser = compiler.trt.OnnxParser(network, compiler.logger)
    if not parser.parse_from_file(str(graph)):
        problems = "; ".join(str(parser.get_error(k)) for k in range(parser.num_errors))
        raise _failed(compiler, graph, f"the parser rejects the graph: {problems}")
    return network


def _settings(builder: Any, compiler: Compiler, options: BuildOptions) -> Any:
    trt = compiler.trt
    settings = builder.create_builder_config()
    settings.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mb << 20)
    settings.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if hasattr(trt.BuilderFlag, "TF32"):
        settings.clear_flag(trt.BuilderFlag.TF32)  # float32 in the graph means float32
    if options.optimization_level is not None:
        settings.builder_optimization_level = options.optimization_level
    if options.compute_capability is not None:
        settings.num_compute_capabilities = 1
        settings.set_compute_capability(compiler.capability(options.compute_capability), 0)
    return settings


def _shapes(builder: Any, inputs: Sequence[TensorSpec], batch: tuple[int, int, int]) -> Any:
    profile = builder.create_optimization_profile()
    for spec in inputs:
        shapes = [batch_shape(spec, slots) for slots in batch]
        profile.set_shape(spec.name, *shapes)
    return profile


def _timing_cache(settings: Any, compiler: Compiler, earlier: bytes | None) -> Any:
    if not compiler.needs_gpu:  # TensorRT-RTX measures nothing; with a cache it asks for a GPU
        return None
    cache = settings.create_timing_cache(earlier or b"")
    if not settings.set_timing_cache(cache, ignore_mismatch=False):
        cache = settings.create_timing_cache(b"")  # that of another device or version is dropped
        settings.set_timing_cache(cache, ignore_mismatch=False)
    return cache


def _failed(compiler: Compiler, graph: Path, problem: str) -> EngineError:
    return EngineError(
        f"{compiler.name} {compiler.version} cannot build {graph}: {problem}. Its log: "
        f"{compiler.log.last_errors()}"
    )
