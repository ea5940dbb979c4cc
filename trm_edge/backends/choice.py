"""The choice of what runs a target on this machine, and its reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trm_edge.backends.base import Backend
from trm_edge.backends.environment import Environment
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.backends.onnxruntime_session import CUDA_PROVIDER
from trm_edge.config import ModelConfig
from trm_edge.engines.driver import DriverState
from trm_edge.engines.record import ENGINE, RECORD, EngineRecord
from trm_edge.manifest import CPU, TargetRecord

_ON_CPU = "running the step graph in ONNX Runtime on the CPU"
_ON_GPU = "running the step graph in ONNX Runtime on the GPU"


@dataclass(frozen=True)
class Choice:
    """A backend and why it was chosen.

    Args:
        backend: not yet active.
        reason: a clause for people.
    """

    backend: Backend
    reason: str


def choose(
    bundle: Path,
    name: str,
    target: TargetRecord,
    config: ModelConfig,
    *,
    threads: int = 0,
    sha256: str | None = None,
    environment: Environment | None = None,
) -> Choice:
    """Choose the target's engine where one was built, else its step graph, on a GPU if possible.

    Args:
        bundle: folder of the bundle.
        name: name of the target.
        target: the manifest's record of it.
        config: the model.
        threads: CPU threads; 0 for one per core.
        sha256: of the step graph, verified when ONNX Runtime loads it; None: it is not.
        environment: the machine; this one by default.

    Raises:
        EngineError: there is an engine and a GPU, but the engine does not fit this machine or its
            step graph.
        MissingExtraError: the engine's compiler is not installed.
        ConfigError: ``threads`` is negative, or more than this machine should start.
    """
    environment = environment or Environment()
    graph = bundle / target.step
    on_cpu = OnnxRuntimeBackend(
        graph,
        config,
        carry=target.carry,
        threads=threads,
        sha256=sha256,
        noise=target.noise,
    )
    if name == CPU:
        return Choice(on_cpu, f"the target {CPU} has no engine; {_ON_CPU}")
    state = environment.probe_driver()
    is_built = (graph.parent / ENGINE).exists()
    if not state.gpus:
        missing = "no engine has been built, and this machine has no GPU"
        if is_built:
            missing = "the engine needs a GPU, but this machine has none"
        return Choice(on_cpu, f"{missing} ({state.problem}); {_ON_CPU}")
    command = f"trm-edge build {bundle} --target {name}"
    if is_built:
        backend = _engine(on_cpu, target, config, state, environment, command)
        return Choice(backend, f"its engine was built for this GPU, {state.gpus[0]}")
    not_built = f"no engine has been built (build one with: {command})"
    if CUDA_PROVIDER in environment.providers():
        from trm_edge.backends.onnxruntime_cuda import OnnxRuntimeCudaBackend

        on_gpu = OnnxRuntimeCudaBackend(
            graph, config, carry=target.carry, sha256=sha256, noise=target.noise
        )
        return Choice(on_gpu, f"{not_built}; {_ON_GPU}")
    return Choice(on_cpu, f"{not_built}, and ONNX Runtime has no {CUDA_PROVIDER}; {_ON_CPU}")


def _engine(
    on_cpu: OnnxRuntimeBackend,
    target: TargetRecord,
    config: ModelConfig,
    state: DriverState,
    environment: Environment,
    command: str,
) -> Backend:
    from trm_edge.backends.tensorrt import TensorRTBackend
    from trm_edge.engines.loaded import LoadedEngine

    graph = on_cpu.graph
    path = graph.parent / ENGINE
    record = EngineRecord.read(graph.parent / RECORD)
    compiler = environment.make_compiler(record.compiler)
    gpu = state.gpus[0]
    record.require_match(graph, path, compiler.version, gpu, state.version, command)

    def load() -> LoadedEngine:
        return LoadedEngine.open(path, config, target.carry, compiler, noise=target.noise)

    version = f"{compiler.name} {compiler.version} on {gpu.name}"
    return TensorRTBackend(load, config, version=version, initial_states=on_cpu.initial_states)
