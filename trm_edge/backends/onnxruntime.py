"""A step graph in ONNX Runtime on the CPU: the engine that runs everywhere, CI included.

Few slots are run at once, with every thread in each operator. Many are run in shares, one thread
each: then no operator waits for another thread, and what lies between two products stays in a
core's cache (docs/speed.md has what that is worth).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import Backend, HaltingLogits
from trm_edge.config import ModelConfig
from trm_edge.errors import BackendError
from trm_edge.step import CarryType, TensorSpec, describe_mismatch, step_inputs, step_outputs

_TYPES = {
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
}
CPU_PROVIDER = "CPUExecutionProvider"
# Elements of a carry that one thread works on at once. What lies between the products of so many
# slots stays in a core's cache; a large graph streams its weights through it, for many at once.
_SHARE, _SHARE_LARGE, _LARGE = 50_000, 200_000, 16_000_000  # the last: bytes of a graph


class StepArrays(NamedTuple):
    """The outputs of a step graph, in the contract's order."""

    z_H: NDArray[Any]  # (B, S, D) in the carry's type
    z_L: NDArray[Any]
    logits: NDArray[np.float32]  # (B, L, V)
    q_halt: NDArray[np.float32]  # (B,)
    q_continue: NDArray[np.float32]


class OnnxRuntimeBackend(Backend):
    """Runs ``step.onnx`` with its carry held as arrays that are handed from run to run.

    Args:
        graph: the step graph.
        config: the model that it computes.
        carry: element type of the carry, as the graph declares it.
        threads: 0 takes every core.
    """

    name = "onnxruntime"
    provider = CPU_PROVIDER
    _advice = "its installation is damaged."

    def __init__(
        self, graph: Path, config: ModelConfig, *, carry: CarryType = "float32", threads: int = 0
    ) -> None:
        self.graph = graph
        self.config = config
        self.carry_type = np.dtype(carry)
        self.threads = threads or available_cores()
        self._inputs = step_inputs(config, carry)
        self._outputs = step_outputs(config, carry)
        self._session: Any = None  # every thread in each operator
        self._single: Any = None  # one thread, run by several at once
        self._pool: ThreadPoolExecutor | None = None
        self._z_H: NDArray[Any] = np.zeros((0,), self.carry_type)
        self._z_L: NDArray[Any] = self._z_H
        self._logits: NDArray[np.float32] = np.zeros((0, 0, 0), np.float32)

    def activate(self) -> None:
        if self._session is not None:
            return
        try:
            import onnxruntime as ort
        except ImportError as error:
            raise BackendError(
                "running a step graph needs the package onnxruntime, which is not installed. It "
                "comes with: pip install trm-edge"
            ) from error
        session = self._load(ort, self.threads)
        if session.get_providers()[:1] != [self.provider]:
            raise BackendError(
                f"ONNX Runtime was asked for {self.provider}, but runs "
                f"{', '.join(session.get_providers())}: {self._advice}"
            )
        for kind, expected, found in (
            ("inputs", self._inputs, session.get_inputs()),
            ("outputs", self._outputs, session.get_outputs()),
        ):
            problem = describe_mismatch(expected, [_spec(arg) for arg in found])
            if problem:
                raise BackendError(
                    f"{self.graph} breaks the step contract in its {kind}: {problem}. "
                    "Export the checkpoint again."
                )
        self._session = session

    def _load(self, ort: Any, threads: int) -> Any:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            return ort.InferenceSession(str(self.graph), options, providers=[self.provider])
        except Exception as error:
            raise BackendError(
                f"ONNX Runtime {ort.__version__} cannot load {self.graph}: {error}"
            ) from error

    def deactivate(self) -> None:
        self._session = self._single = None
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        self._z_H = self._z_L = np.zeros((0,), self.carry_type)
        self._logits = np.zeros((0, 0, 0), np.float32)

    def start(self, slots: int) -> None:
        # The first step resets every slot, so what stands here is never read into a result.
        shape = (slots, self.config.carry_len, self.config.hidden_size)
        self._z_H = self._z_L = np.zeros(shape, self.carry_type)

    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        result = self.run(tokens, puzzle_embedding, reset, self._z_H, self._z_L)
        self._z_H, self._z_L, self._logits = result.z_H, result.z_L, result.logits
        return HaltingLogits(result.q_halt, result.q_continue)

    def run(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
        z_H: NDArray[Any],
        z_L: NDArray[Any],
    ) -> StepArrays:
        """One run of the graph on a carry that is given, leaving the backend's own alone."""
        if self._session is None:
            raise BackendError("the engine is not loaded: use the backend in a with statement.")
        feeds = {"tokens": tokens, "reset": reset, "z_H": z_H, "z_L": z_L}
        if puzzle_embedding is not None:
            feeds["puzzle_embedding"] = puzzle_embedding.astype(self.carry_type, copy=False)
        try:
            if self.threads > 1 and len(tokens) >= 2 * self.threads:
                return self._run_shares(feeds, len(tokens))
            return StepArrays(*self._session.run(None, feeds))
        except Exception as error:
            raise BackendError(f"ONNX Runtime failed in {self.graph}: {error}") from error

    def _run_shares(self, feeds: dict[str, NDArray[Any]], slots: int) -> StepArrays:
        """A run in shares of the slots, as many at once as there are threads."""
        if self._pool is None:
            import onnxruntime as ort

            self._single = self._load(ort, 1)
            self._pool = ThreadPoolExecutor(self.threads)
        outputs = [
            np.empty([slots, *(axis or 0 for axis in spec.shape[1:])], spec.dtype)
            for spec in self._outputs
        ]

        def run(share: slice) -> None:
            given = {name: value[share] for name, value in feeds.items()}
            for whole, part in zip(outputs, self._single.run(None, given), strict=True):
                whole[share] = part

        share = _SHARE_LARGE if self.graph.stat().st_size > _LARGE else _SHARE
        list(self._pool.map(run, shares(slots, self.threads, self.config, share)))
        return StepArrays(*outputs)

    def logits(self, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._logits[slots]

    def carry(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self._z_H.astype(np.float32, copy=False), self._z_L.astype(np.float32, copy=False)

    def compact(self, slots: NDArray[np.int64]) -> None:
        self._z_H, self._z_L = self._z_H[slots], self._z_L[slots]
        self._logits = self._logits[slots]

    def describe(self) -> str:
        import onnxruntime as ort

        return f"ONNX Runtime {ort.__version__}, {self.provider}"


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def shares(slots: int, threads: int, config: ModelConfig, elements: int) -> list[slice]:
    """Slots in equal shares, a multiple of ``threads``, each with about so many elements."""
    most = max(1, round(elements / (config.carry_len * config.hidden_size)))
    rounds = -(-slots // (threads * most))
    bounds = np.linspace(0, slots, min(slots, rounds * threads) + 1).round().astype(int)
    return [slice(low, high) for low, high in pairwise(bounds)]


def _spec(arg: Any) -> TensorSpec:
    shape = tuple(axis if isinstance(axis, int) else None for axis in arg.shape)
    return TensorSpec(arg.name, shape, _TYPES.get(arg.type, arg.type))
