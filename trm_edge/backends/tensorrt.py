"""An engine that keeps the carries on the GPU.

Two sets of carry buffers take turns: a step reads one and writes the other, never the same, which
TensorRT answers with wrong results. For a number of slots there are thus two bindings, from set 0
to set 1 and back, and each becomes a CUDA graph: its first step is enqueued as it is, which
compiles and allocates what is needed, the second is captured, and from then on a step is a single
launch.

What travels: tokens and ``reset`` where they changed, ``q_halt`` and ``q_continue`` through
page-locked memory, and the logits of the slots that somebody asks for.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import Backend, HaltingLogits
from trm_edge.config import ModelConfig
from trm_edge.engines.cuda import Cuda
from trm_edge.engines.loaded import LoadedEngine
from trm_edge.errors import BackendError
from trm_edge.step import CarryType, TensorSpec

STATES = ("z_H", "z_L")
# From here on a step of half the slots takes about half as long (benchmarks/gpu.py measures it).
OVERLAP_SLOTS = 128


class TensorRTBackend(Backend):
    """Runs a step's engine.

    Args:
        load: loads the engine; called on activation.
        cuda: opens the CUDA runtime.
        carry: element type of the carry, as the engine has it.
        version: of what runs the engine, for people.
        two_lanes: slots from which on the loop's decisions and the next step overlap.
    """

    name = "tensorrt"
    # Of a run, from start() on; see _release().
    _stream: Any
    _done: Any
    _capacity: int  # slots that the buffers have room for
    _slots: int  # of them in use
    _front: int  # the set of carries that the next step reads
    _order: NDArray[np.int64]  # where each slot of the loop lies in the buffers
    _device: dict[str, int]  # addresses
    _host: dict[str, NDArray[Any]]  # page-locked
    _contexts: dict[tuple[int, int], Any]  # by slots and front
    _graphs: dict[tuple[int, int], Any]
    _stale: set[str]  # inputs that the device does not have yet

    def __init__(
        self,
        load: Callable[[], LoadedEngine],
        config: ModelConfig,
        *,
        carry: CarryType = "float32",
        cuda: Callable[[], Cuda] = Cuda,
        version: str = "TensorRT",
        overlap_slots: int = OVERLAP_SLOTS,
    ) -> None:
        self.config = config
        self.carry_type = np.dtype(carry)
        self._load, self._open, self._version = load, cuda, version
        self._overlap_slots = overlap_slots
        self._engine: LoadedEngine | None = None
        self._shared = False  # the engine belongs to the other lane
        self._sibling: TensorRTBackend | None = None
        self._release()

    def activate(self) -> None:
        if self._engine is None:
            self._cuda = self._open()
            self._engine = self._load()

    def deactivate(self) -> None:
        if self._sibling is not None:
            self._sibling.deactivate()
            self._sibling = None
        try:
            self._free()
        finally:
            engine, self._engine = self._engine, None
            if engine is not None and not self._shared:
                engine.close()

    def slot_groups(self, slots: int) -> tuple[Backend, ...]:
        self._loaded()
        if slots < self._overlap_slots:
            return (self,)
        if self._sibling is None:
            self._sibling = sibling = copy.copy(self)
            sibling._release()
            sibling._shared, sibling._sibling = True, None
        return (self, self._sibling)

    def start(self, slots: int) -> None:
        engine = self._loaded()
        fewest, most = engine.slots
        if slots > most:
            raise BackendError(
                f"{engine.path} was built for at most {most} slots, but {slots} are asked for. "
                f"Pass --batch {most}, or build it again with: trm-edge build --batch "
                f"{fewest} {most} {slots}"
            )
        if self._stream is None or slots > self._capacity:
            self._free()
            self._allocate(engine, max(slots, fewest))
        self._cuda.wait(self._stream)  # of a run that was given up
        self._slots = self._capacity
        while max(slots, fewest) <= self._slots // 2:  # sizes that a shrinking run has captured
            self._slots //= 2
        self._order = np.arange(slots)
        self._host["reset"][:] = True  # what lies in the buffers is no carry
        self._stale = {"tokens", "reset", "puzzle_embedding"} & set(self._host)

    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        self.launch_step(tokens, puzzle_embedding, reset)
        return self.wait_step()

    def launch_step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> None:
        self._loaded()
        if self._stream is None or len(tokens) != len(self._order):
            raise BackendError(
                f"{len(tokens)} slots are stepped, but {len(self._order)} were started: call "
                "start() first."
            )
        self._stage("tokens", tokens)
        if puzzle_embedding is not None:
            self._stage("puzzle_embedding", puzzle_embedding)
        self._stage("reset", reset)
        for name in sorted(self._stale):
            self._cuda.upload(self._device[name], self._host[name][: self._slots], self._stream)
        self._stale = set()
        self._advance()
        self._cuda.record(self._done, self._stream)
        self._front = 1 - self._front

    def wait_step(self) -> HaltingLogits:
        self._cuda.wait_for(self._done)
        return HaltingLogits(
            self._host["q_halt"][self._order], self._host["q_continue"][self._order]
        )

    def logits(self, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        places, host = self._order[slots], self._host["logits"]
        for first, last in _runs(np.unique(places)):
            row = host[0].nbytes
            self._cuda.download(
                host[first:last], self._device["logits"] + first * row, self._stream
            )
        self._cuda.wait(self._stream)
        chosen: NDArray[np.float32] = host[places]
        return chosen

    def carry(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        shape = (self._slots, self.config.carry_len, self.config.hidden_size)
        states = [np.empty(shape, self.carry_type) for _ in STATES]
        for name, state in zip(STATES, states, strict=True):
            self._cuda.download(state, self._device[f"{name}.{self._front}"], self._stream)
        self._cuda.wait(self._stream)
        z_H, z_L = (state[self._order].astype(np.float32) for state in states)
        return z_H, z_L

    def compact(self, slots: NDArray[np.int64]) -> None:
        """Slots given up run on unheeded, until half of them are; then the rest moves together."""
        self._order = self._order[slots]
        fewest, _ = self._loaded().slots
        half = self._slots // 2
        if half >= fewest and 0 < len(self._order) <= half:
            self._compact(half)

    def describe(self) -> str:
        return self._version

    def _allocate(self, engine: LoadedEngine, slots: int) -> None:
        """Buffers for so many slots; a later run of as many or fewer takes them again."""
        cuda, self._capacity, self._slots = self._cuda, slots, slots
        self._stream, self._done = cuda.stream(), cuda.event()
        for spec in (*engine.inputs, *engine.outputs):
            if spec.name in STATES:
                for half in (0, 1):
                    self._device[f"{spec.name}.{half}"] = cuda.malloc(self._size(spec), spec.name)
            elif not spec.name.startswith(STATES):
                self._device[spec.name] = cuda.malloc(self._size(spec), spec.name)
                shape = tuple(slots if axis is None else axis for axis in spec.shape)
                self._host[spec.name] = cuda.pinned(shape, spec.dtype)
        if engine.scratch:
            self._device["scratch"] = cuda.malloc(engine.scratch, "intermediate results")

    def _advance(self) -> None:
        """One step of all slots, from the front set of carries to the other."""
        engine, key = self._loaded(), (self._slots, self._front)
        if key in self._graphs:
            self._cuda.launch(self._graphs[key], self._stream)
            return
        first = key not in self._contexts
        if first:
            addresses = self._device | self._carries(self._front)
            scratch = self._device.get("scratch", 0)
            self._contexts[key] = engine.context(self._slots, scratch, addresses)
        context = self._contexts[key]

        def enqueue() -> None:
            engine.enqueue(context, self._stream)
            for name in ("q_halt", "q_continue"):
                host = self._host[name][: self._slots]
                self._cuda.download(host, self._device[name], self._stream)

        capturable = getattr(context, "is_stream_capturable", None)
        if first or (capturable is not None and not capturable(int(self._stream))):
            enqueue()
            return
        self._graphs[key] = self._cuda.capture(self._stream, enqueue)
        self._cuda.launch(self._graphs[key], self._stream)

    def _carries(self, front: int) -> dict[str, int]:
        """Addresses of the carry's inputs and outputs when set ``front`` is read."""
        sets = dict.fromkeys(STATES, (front, 1 - front))
        return {
            f"{name}{suffix}": self._device.get(f"{name}.{half}", 0)
            for name, halves in sets.items()
            for suffix, half in zip(("", "_next"), halves, strict=True)
        }

    def _stage(self, name: str, values: NDArray[Any]) -> None:
        """Put the slots' values into page-locked memory, where they differ from what is there."""
        host = self._host[name]
        if name == "reset":
            wanted = np.zeros(self._slots, np.bool_)
            wanted[self._order] = values
            if np.array_equal(host[: self._slots], wanted) and name not in self._stale:
                return
            host[: self._slots] = wanted
        else:
            if np.array_equal(host[self._order], values.astype(host.dtype, copy=False)):
                return
            host[self._order] = values
        self._stale.add(name)

    def _compact(self, slots: int) -> None:
        """Move the slots at work into the first ones."""
        engine = self._loaded()
        rows = {
            **{f"{name}.{self._front}": engine.inputs[-1] for name in STATES},
            **{spec.name: spec for spec in engine.outputs if spec.name == "logits"},
        }
        free = iter(np.setdiff1d(np.arange(slots), self._order))
        for slot, place in enumerate(self._order):
            if place < slots:
                continue
            target = int(next(free))
            for name, spec in rows.items():
                size = self._size(spec, 1)
                base = self._device[name]
                self._cuda.move(base + target * size, base + int(place) * size, size, self._stream)
            for name in {"tokens", "puzzle_embedding"} & set(self._host):
                self._host[name][target] = self._host[name][place]
                self._stale.add(name)
            self._order[slot] = target
        self._slots = slots
        self._stale.add("reset")

    def _size(self, spec: TensorSpec, slots: int | None = None) -> int:
        count = self._slots if slots is None else slots
        axes = [count if axis is None else axis for axis in spec.shape]
        return int(np.prod(axes)) * np.dtype(spec.dtype).itemsize

    def _loaded(self) -> LoadedEngine:
        if self._engine is None:
            raise BackendError("the engine is not loaded: use the backend in a with statement.")
        return self._engine

    def _release(self) -> None:
        """Hold nothing."""
        self._stream = self._done = None
        self._capacity = self._slots = self._front = 0
        self._order = np.zeros(0, np.int64)
        self._device, self._host, self._contexts, self._graphs = {}, {}, {}, {}
        self._stale = set()

    def _free(self) -> None:
        """Give back everything that a run holds, after it has come to rest."""
        if self._stream is None:
            return
        cuda = self._cuda
        stream, done = self._stream, self._done
        device, host, graphs = self._device, self._host, self._graphs
        try:
            cuda.wait(stream)
        finally:
            self._release()  # contexts go before the memory that they are bound to
            for graph in graphs.values():
                cuda.drop_graph(graph)
            for address in device.values():
                cuda.free(address)
            for array in host.values():
                cuda.unpin(array)
            cuda.drop_event(done)
            cuda.drop_stream(stream)


def _runs(places: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Sorted places as stretches (first, behind the last)."""
    cuts = np.flatnonzero(np.diff(places) > 1) + 1
    return [(int(run[0]), int(run[-1]) + 1) for run in np.split(places, cuts) if len(run)]
