"""Backends that run a step on a GPU: engines, ONNX Runtime, PyTorch."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trm_edge.backends.base import Backend, HaltingLogits
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.backends.onnxruntime_cuda import OnnxRuntimeCudaBackend
from trm_edge.backends.tensorrt import TensorRTBackend
from trm_edge.engines.builder import BuildOptions, build_engine
from trm_edge.engines.compiler import Compiler, CompilerName
from trm_edge.engines.driver import DriverState
from trm_edge.engines.loaded import LoadedEngine
from trm_edge.errors import TrmEdgeError
from trm_edge.export.model import RecursiveModel
from trm_edge.step import CarryType
from trm_edge.targets.profiles import load_profile

WORKSPACE_MB = 4096


@dataclass
class Runner:
    """A way to run a step.

    Args:
        name: name of the runner.
        graph: the graph whose results it should reproduce.
        carry: element type of the carry.
        backend: makes a backend.
        folder: a temporary folder to remove at the end, or None.
    """

    name: str
    graph: Path
    carry: CarryType
    backend: Callable[[], Backend]
    folder: Path | None = None

    def close(self) -> None:
        """Remove the temporary folder."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def runners(
    model: RecursiveModel,
    graphs: dict[Any, Path],
    max_slots: int,
    device: str,
    state: DriverState,
) -> tuple[list[Runner], dict[str, str]]:
    """Set up every runner that this machine supports.

    Args:
        model: the float32 model.
        graphs: step graphs by precision.
        max_slots: the largest number of slots that an engine must support.
        device: ``cuda`` or ``cpu``.
        state: the NVIDIA driver and its GPUs.

    Returns:
        The runners, and by name the reason why others cannot run.
    """
    able: list[Runner] = []
    unable: dict[str, str] = {}
    config = model.config
    profile = load_profile("h100")
    for dtype, autocast in (("float32", False), ("bfloat16", True)):
        for compiled in (False, True):
            mode = "torch.compile" if compiled else "eager"
            name = f"PyTorch {dtype}, {mode}"

            def torch_backend(autocast: bool = autocast, compiled: bool = compiled) -> Backend:
                return TorchDeviceBackend(model, device, autocast=autocast, compiled=compiled)

            if compiled and device == "cpu":
                unable[name] = "compiled for CUDA graphs only"
                continue
            able.append(Runner(name, graphs["fp32"], "float32", torch_backend))
    for precision, graph in graphs.items():
        carry = profile.carry_of(precision)

        def ort_backend(graph: Path = graph, carry: CarryType = carry) -> Backend:
            if device == "cpu":
                return OnnxRuntimeBackend(graph, config, carry=carry)
            return OnnxRuntimeCudaBackend(graph, config, carry=carry)

        able.append(Runner(f"ONNX Runtime {precision}", graph, carry, ort_backend))
        compilers: tuple[CompilerName, ...] = ("tensorrt", "tensorrt-rtx")
        for compiler in compilers:
            name = f"{compiler} {precision}"
            if not state.gpus:
                unable[name] = state.problem
                continue
            try:
                able.append(_engine(name, compiler, graph, carry, model, max_slots, state))
            except TrmEdgeError as error:
                unable[name] = str(error)
    return able, unable


def _engine(
    name: str,
    compiler_name: CompilerName,
    graph: Path,
    carry: CarryType,
    model: RecursiveModel,
    max_slots: int,
    state: DriverState,
) -> Runner:
    """Build an engine; TensorRT-RTX for this GPU's compute capability or the nearest that works."""
    compiler = Compiler(compiler_name)
    options = BuildOptions((1, min(64, max_slots), max_slots), WORKSPACE_MB)
    capabilities: list[str | None] = [None]
    if not compiler.needs_gpu:
        capabilities = [state.gpus[0].compute_capability, None, "8.9", "8.0"]
    problems = []
    for capability in capabilities:
        try:
            variant = replace(options, compute_capability=capability)
            built = build_engine(graph, model.config, carry, variant, compiler)
        except TrmEdgeError as error:
            problems.append(f"{capability or 'the GPU here'}: {error}")
            continue
        label = f"{name} for {capability or 'this GPU'}"
        return _engine_runner(label, built.content, graph, carry, model, compiler)
    raise TrmEdgeError("; ".join(problems))


def _engine_runner(
    label: str,
    content: bytes,
    graph: Path,
    carry: CarryType,
    model: RecursiveModel,
    compiler: Compiler,
) -> Runner:
    folder = Path(tempfile.mkdtemp())
    path = folder / "step.engine"
    path.write_bytes(content)

    def load() -> LoadedEngine:
        return LoadedEngine(
            path,
            model.config,
            carry,
            compiler.trt,
            compiler.logger,
            lambda: compiler.log.errors,
            None if compiler.needs_gpu else folder / "runtime.cache",
        )

    def backend() -> Backend:
        return TensorRTBackend(load, model.config, version=label)

    return Runner(label, graph, carry, backend, folder)


class TorchDeviceBackend(Backend):
    """The checkpoint in PyTorch on a device, as the published code computes it.

    Args:
        model: the float32 model.
        device: name of a torch device.
        autocast: compute in bfloat16.
        compiled: compile with torch.compile and CUDA graphs.
    """

    name = "torch"

    def __init__(
        self, model: RecursiveModel, device: str, *, autocast: bool, compiled: bool
    ) -> None:
        self.config = model.config
        self._device = torch.device(device)
        self._model = model.to(self._device)
        if model.rope is not None:
            self._model.rope = (model.rope[0].to(device), model.rope[1].to(device))
        self._autocast = autocast
        self._forward: Any = self._model
        if compiled:
            self._forward = torch.compile(self._model, mode="reduce-overhead", dynamic=False)
        self._carry: Any = None
        self._output: Any = None

    def deactivate(self) -> None:
        """Move the model back to the CPU."""
        self._carry = self._output = None
        self._model.to("cpu")
        if self._model.rope is not None:
            self._model.rope = (self._model.rope[0].cpu(), self._model.rope[1].cpu())

    def start(self, slots: int) -> None:
        """Start a batch.

        Args:
            slots: size of the batch.
        """
        carry = self._model.initial_carry(slots)
        self._carry = {name: state.contiguous() for name, state in carry.items()}

    @torch.inference_mode()
    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        """Run one step.

        Args:
            tokens: (B, L) int32.
            puzzle_embedding: (B, E) float32, or None.
            reset: (B,) bool.
        """
        rows = None
        if puzzle_embedding is not None:
            rows = torch.from_numpy(puzzle_embedding).to(self._device)
        device_tokens = torch.from_numpy(tokens).to(self._device)
        device_reset = torch.from_numpy(reset).to(self._device)
        precision: AbstractContextManager[Any] = nullcontext()
        if self._autocast:
            precision = torch.autocast(self._device.type, torch.bfloat16)
        with precision:
            output = self._forward(device_tokens, rows, device_reset, self._carry)
        # The next run of a CUDA graph overwrites these outputs.
        self._carry = {name: state.clone() for name, state in output.carry.items()}
        self._output = output.logits.clone()
        return HaltingLogits(
            output.q_halt.float().cpu().numpy(), output.q_continue.float().cpu().numpy()
        )

    def logits(self, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return logits (n, L, V) float32 of the last step.

        Args:
            slots: (n,) slot indices.
        """
        chosen: NDArray[np.float32] = self._output[torch.from_numpy(slots)].float().cpu().numpy()
        return chosen

    def carry(self) -> tuple[NDArray[np.float32], ...]:
        """Return the carries, (B, P+L, D) float32 each."""
        return tuple(state.float().cpu().numpy() for state in self._carry.values())

    def compact(self, slots: NDArray[np.int64]) -> None:
        """Shrink the batch.

        Args:
            slots: (n,) indices of the slots to keep, in order.
        """
        index = torch.from_numpy(slots)
        self._carry = {name: state[index] for name, state in self._carry.items()}
        self._output = self._output[index]
