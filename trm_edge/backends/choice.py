"""Which engine runs a target on this machine, and why that one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trm_edge.backends.base import Backend
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.config import ModelConfig
from trm_edge.engines.compiler import Compiler, CompilerName
from trm_edge.engines.driver import DriverState, probe
from trm_edge.manifest import TargetRecord

CPU = "cpu"  # the target that is meant for ONNX Runtime


@dataclass(frozen=True)
class Choice:
    """A backend, not yet loaded, and the reason in words."""

    backend: Backend
    reason: str


def choose(
    bundle: Path,
    name: str,
    target: TargetRecord,
    config: ModelConfig,
    *,
    threads: int = 0,
    probe_driver: Callable[[], DriverState] = probe,
    providers: Callable[[], list[str]] | None = None,
    make_compiler: Callable[[CompilerName], Compiler] = Compiler,
) -> Choice:
    """The target's engine where it was built and fits; else its graph, on a GPU where one can.

    Args:
        bundle: its folder.
        name: of the target.
        target: what the manifest has of it.
        config: the model's.

    Raises:
        EngineError: there is an engine and a GPU, and they do not fit each other.
        MissingExtraError: what runs the engine is not installed.
    """
    from trm_edge.engines.record import ENGINE

    graph = bundle / target.step
    on_cpu = OnnxRuntimeBackend(graph, config, carry=target.carry, threads=threads)
    if name == CPU:
        return Choice(on_cpu, "the target is for ONNX Runtime on a CPU")
    state = probe_driver()
    built = (graph.parent / ENGINE).exists()
    if not state.gpus:
        what = "its engine needs a GPU" if built else "there is no engine"
        return Choice(
            on_cpu, f"{what}, and here is none ({state.problem}); the graph runs anywhere"
        )
    command = f"trm-edge build {bundle} --target {name}"
    if built:
        backend = _engine(graph, target, config, state, make_compiler, command)
        return Choice(backend, f"its engine fits {state.gpus[0]}")
    if "CUDAExecutionProvider" in (providers or _providers)():
        from trm_edge.backends.onnxruntime_cuda import OnnxRuntimeCudaBackend

        on_gpu = OnnxRuntimeCudaBackend(graph, config, carry=target.carry)
        return Choice(on_gpu, f"no engine is built yet; {command} makes one")
    return Choice(
        on_cpu,
        f"no engine is built yet ({command} makes one), and this ONNX Runtime has no CUDA provider",
    )


def _engine(
    graph: Path,
    target: TargetRecord,
    config: ModelConfig,
    state: DriverState,
    make_compiler: Callable[[CompilerName], Compiler],
    again: str,
) -> Backend:
    from trm_edge.backends.tensorrt import TensorRTBackend
    from trm_edge.engines.loaded import LoadedEngine
    from trm_edge.engines.record import ENGINE, RECORD, RUNTIME_CACHE, EngineRecord

    path = graph.parent / ENGINE
    record = EngineRecord.read(graph.parent / RECORD)
    compiler = make_compiler(record.compiler)
    record.require_match(graph, path, compiler.version, state.gpus[0], state.version, again)

    def load() -> LoadedEngine:
        return LoadedEngine(
            path,
            config,
            target.carry,
            compiler.trt,
            compiler.logger,
            lambda: compiler.log.errors,
            None if compiler.needs_gpu else graph.parent / RUNTIME_CACHE,
        )

    version = f"{compiler.name} {compiler.version} on {state.gpus[0].name}"
    return TensorRTBackend(load, config, carry=target.carry, version=version)


def _providers() -> list[str]:
    import onnxruntime

    found: list[str] = onnxruntime.get_available_providers()
    return found
