"""From a step graph to an engine, by TensorRT or TensorRT-RTX.

Networks are strongly typed and no precision flag is set: precision is what the graph says.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trm_edge.config import ModelConfig
from trm_edge.engines.compiler import Compiler
from trm_edge.errors import EngineError
from trm_edge.profile import TargetProfile
from trm_edge.step import CarryType, step_inputs


@dataclass(frozen=True)
class BuildOptions:
    """What an engine is built for, beside its graph."""

    batch: tuple[int, int, int]  # least, usual and most slots
    workspace_mb: int
    compute_capability: str | None = None  # None: that of the GPU at hand
    optimization_level: int | None = None  # None: the compiler's default

    @classmethod
    def of(cls, profile: TargetProfile, compute_capability: str | None = None) -> BuildOptions:
        return cls(profile.batch, profile.workspace_mb, compute_capability)


@dataclass(frozen=True)
class BuiltEngine:
    """An engine, and what was learned on the way."""

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
) -> BuiltEngine:
    """Compile a step graph.

    Args:
        timing_cache: of an earlier build on the same device; used where the compiler keeps one.

    Raises:
        EngineError: the graph cannot be parsed or compiled; says what the compiler said.
    """
    trt, began = compiler.trt, time.monotonic()
    said = len(compiler.log.lines)
    builder = trt.Builder(compiler.logger)
    if builder is None:
        raise _failed(compiler, graph, "no builder could be made")
    network = builder.create_network(
        compiler.flags("NetworkDefinitionCreationFlag", "STRONGLY_TYPED")
    )
    parser = trt.OnnxParser(network, compiler.logger)
    if not parser.parse_from_file(str(graph)):
        problems = "; ".join(str(parser.get_error(k)) for k in range(parser.num_errors))
        raise _failed(compiler, graph, f"the parser refuses it: {problems}")
    settings = builder.create_builder_config()
    settings.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mb << 20)
    settings.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if hasattr(trt.BuilderFlag, "TF32"):
        settings.clear_flag(trt.BuilderFlag.TF32)  # float32 is meant where it is written
    if options.optimization_level is not None:
        settings.builder_optimization_level = options.optimization_level
    if options.compute_capability is not None:
        settings.num_compute_capabilities = 1
        settings.set_compute_capability(compiler.capability(options.compute_capability), 0)
    cache = _timing_cache(settings, compiler, timing_cache)
    settings.add_optimization_profile(_shapes(builder, config, carry, options))
    engine = builder.build_serialized_network(network, settings)
    if engine is None:
        raise _failed(compiler, graph, "it cannot be compiled")
    return BuiltEngine(
        content=bytes(engine),
        timing_cache=None if cache is None else bytes(cache.serialize()),
        seconds=time.monotonic() - began,
        warnings=tuple(
            line.text for line in compiler.log.lines[said:] if line.severity == "warning"
        ),
    )


def layer_information(compiler: Compiler, engine: bytes) -> str:
    """What the inspector says about every layer, as JSON; needs the GPU that it was built for.

    Raises:
        EngineError: the engine cannot be opened.
    """
    trt = compiler.trt
    runtime = trt.Runtime(compiler.logger)
    opened = runtime.deserialize_cuda_engine(engine)
    if opened is None:
        said = "; ".join(compiler.log.errors[-3:]) or "it gave no reason"
        raise EngineError(
            f"{compiler.name} {compiler.version} cannot open the engine that it has just built: "
            f"{said}"
        )
    inspector = opened.create_engine_inspector()
    return str(inspector.get_engine_information(trt.LayerInformationFormat.JSON))


def _shapes(builder: Any, config: ModelConfig, carry: CarryType, options: BuildOptions) -> Any:
    profile = builder.create_optimization_profile()
    for spec in step_inputs(config, carry):
        shapes = [tuple(b if axis is None else axis for axis in spec.shape) for b in options.batch]
        profile.set_shape(spec.name, *shapes)
    return profile


def _timing_cache(settings: Any, compiler: Compiler, earlier: bytes | None) -> Any:
    if not compiler.needs_gpu:  # TensorRT-RTX times nothing here, and asks for a GPU if it is given
        return None
    cache = settings.create_timing_cache(earlier or b"")
    if not settings.set_timing_cache(cache, ignore_mismatch=False):
        cache = settings.create_timing_cache(b"")  # of another device or version: begin anew
        settings.set_timing_cache(cache, ignore_mismatch=False)
    return cache


def _failed(compiler: Compiler, graph: Path, what: str) -> EngineError:
    said = "; ".join(compiler.log.errors[-3:]) or "it gave no reason"
    return EngineError(
        f"{compiler.name} {compiler.version} cannot build {graph}: {what}. It said: {said}"
    )
