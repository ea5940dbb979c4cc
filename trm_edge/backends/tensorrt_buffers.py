"""The memory of an engine's steps: on the device, and page-locked on the host.

There are two sets of carry buffers: a step reads one and writes the other, never the same, which
TensorRT answers with wrong results. Only what changed travels: tokens and ``reset`` to the device,
halting logits and the requested token logits back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import HaltingLogits, carry_specs
from trm_edge.engines.cuda import Cuda
from trm_edge.engines.loaded import LoadedEngine
from trm_edge.engines.shapes import batch_shape
from trm_edge.step import NOISE_INPUTS, TensorSpec

HALTING = ("q_halt", "q_continue")
_PUZZLE_INPUTS = ("tokens", "puzzle_embedding")
_STATES = "states"  # page-locked memory that states are uploaded from
_STAGED_STATES = 16


class StepBuffers:
    """Buffers for a number of slots, and the stream that works on them.

    The loop's slots lie anywhere in the buffers: ``places`` says where, so that giving up a slot
    moves nothing. Steps compute the first ``slots`` places; those of given-up slots are computed
    too and ignored.

    Args:
        cuda: allocates and copies.
        engine: gives the tensors' shapes and the size of its scratch memory.
        capacity: number of slots that the buffers have room for.

    Raises:
        BackendError: there is not enough memory; what was allocated is freed.
    """

    def __init__(self, cuda: Cuda, engine: LoadedEngine, capacity: int) -> None:
        self.capacity = capacity
        self.slots = capacity  # places that a step computes
        self.front = 0  # the set of carries that the next step reads
        self.places: NDArray[np.int64] = np.zeros(0, np.int64)  # by slot of the loop
        self.host: dict[str, NDArray[Any]] = {}  # page-locked
        self.stream: Any = None
        self._done: Any = None  # event after a step's halting logits
        self._cuda = cuda
        self._carries = carry_specs(engine.inputs)
        self._specs = {spec.name: spec for spec in (*engine.inputs, *engine.outputs)}
        self._device: dict[str, int] = {}  # addresses of everything but the carries
        self._carry_sets: tuple[dict[str, int], dict[str, int]] = ({}, {})  # addresses
        self._stale: set[str] = set()  # inputs that changed on the host since their last upload
        try:
            self._allocate(engine.scratch)
        except BaseException:
            self.free()
            raise

    @property
    def scratch(self) -> int:
        """Address of the engine's scratch memory; 0 where it needs none."""
        return self._device.get("scratch", 0)

    def begin(self, slots: int, smallest: int) -> None:
        """Begin a run: no slot has a carry yet.

        Args:
            slots: number of slots of the loop.
            smallest: smallest number of slots that the engine computes.
        """
        self.wait()  # for a run that was abandoned
        self.slots = self.capacity
        while max(slots, smallest) <= self.slots // 2:  # sizes that a shrinking run has captured
            self.slots //= 2
        self.places = np.arange(slots)
        self.host["reset"][:] = True
        self._stale = {"reset", *self._puzzle_inputs()}
        for name in self._noise_inputs():
            self.host[name][:] = 0
            self._stale.add(name)

    def stage(self, name: str, values: NDArray[Any]) -> None:
        """Put an input's values into page-locked memory, if they changed.

        Args:
            name: ``tokens`` or ``puzzle_embedding``.
            values: (B, ...), one entry per slot.
        """
        host = self.host[name]
        if np.array_equal(host[self.places], values.astype(host.dtype, copy=False)):
            return
        host[self.places] = values
        self._stale.add(name)

    def stage_scalars(self, name: str, values: NDArray[Any]) -> None:
        """Put a number per slot into page-locked memory, if they changed; given-up slots get 0.

        Args:
            name: ``reset``, ``noise_window`` or ``noise_sigma``.
            values: (B,), one per slot.
        """
        host = self.host[name][: self.slots]
        scalars = np.zeros_like(host)
        scalars[self.places] = values
        if np.array_equal(host, scalars):
            return
        host[:] = scalars
        self._stale.add(name)

    def upload(self) -> None:
        """Enqueue the upload of every input that changed."""
        for name in sorted(self._stale):
            self._cuda.upload(self._device[name], self.host[name][: self.slots], self.stream)
        self._stale = set()

    def addresses(self, front: int) -> dict[str, int]:
        """List the device addresses of an engine's inputs and outputs.

        Args:
            front: 0 or 1, the set of carries that the step reads; it writes the other.
        """
        addresses = dict(self._device)
        for spec in self._carries:
            addresses[spec.name] = self._carry_sets[front][spec.name]
            addresses[f"{spec.name}_next"] = self._carry_sets[1 - front][spec.name]
        return addresses

    def download_halting(self) -> None:
        """Enqueue the download of the halting logits."""
        for name in HALTING:
            host = self.host[name][: self.slots]
            self._cuda.download(host, self._device[name], self.stream)

    def end_step(self) -> None:
        """Mark the end of a step in the stream, and let the next step read what it wrote."""
        self._cuda.record(self._done, self.stream)
        self.front = 1 - self.front

    def halting(self) -> HaltingLogits:
        """Wait for the step and return its halting logits, (B,) float32 each."""
        self._cuda.wait_for(self._done)
        q_halt = self.host["q_halt"][self.places]
        q_continue = self.host["q_continue"][self.places]
        return HaltingLogits(q_halt, q_continue)

    def logits(self, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        """Download token logits.

        Args:
            slots: (n,) int64, indices of the loop's slots.

        Returns:
            (n, L, V) float32.
        """
        places = self.places[slots]
        host = self.host["logits"]
        bytes_per_slot = host[0].nbytes
        for first, end in _stretches(np.unique(places)):
            address = self._device["logits"] + first * bytes_per_slot
            self._cuda.download(host[first:end], address, self.stream)
        self.wait()
        chosen: NDArray[np.float32] = host[places]
        return chosen

    def carry(self) -> tuple[NDArray[np.float32], ...]:
        """Download the carries of the loop's slots, (B, P + L, D) float32 each."""
        states = []
        for spec in self._carries:
            state = np.empty(batch_shape(spec, self.slots), spec.dtype)
            self._cuda.download(state, self._carry_sets[self.front][spec.name], self.stream)
            states.append(state)
        self.wait()
        return tuple(state[self.places].astype(np.float32) for state in states)

    def write_carry(
        self, slots: NDArray[np.int64], states: Mapping[str, NDArray[np.float32]]
    ) -> None:
        """Upload states of some of the loop's slots, which the next step reads.

        Args:
            slots: (n,) int64, indices of the loop's slots.
            states: (n, P + L, D) float32 by the name of the state; the others stay as they are.

        Raises:
            BackendError: there is not enough memory, or a copy failed.
        """
        places = self.places[slots]
        for name, values in states.items():
            self._upload_states(name, places, values)

    def keep(self, slots: NDArray[np.int64], smallest: int) -> None:
        """Give up slots; once half of the places are unused, the others move together.

        Args:
            slots: (n,) int64, indices of the loop's slots that remain, in their new order.
            smallest: smallest number of slots that the engine computes.
        """
        self.places = self.places[slots]
        half = self.slots // 2
        if half >= smallest and 0 < len(self.places) <= half:
            self._move_together(half)

    def wait(self) -> None:
        """Block until everything in the stream is done."""
        self._cuda.wait(self.stream)

    def free(self) -> None:
        """Free all memory, the event and the stream; nothing may use them any more."""
        cuda = self._cuda
        for address in (*self._device.values(), *self._carry_addresses()):
            cuda.free(address)
        for array in self.host.values():
            cuda.unpin(array)
        if self._done is not None:
            cuda.drop_event(self._done)
        if self.stream is not None:
            cuda.drop_stream(self.stream)
        self._device = {}
        self._carry_sets = ({}, {})
        self.host = {}
        self._done = None
        self.stream = None

    def _upload_states(
        self, name: str, places: NDArray[np.int64], values: NDArray[np.float32]
    ) -> None:
        address = self._carry_sets[self.front][name]
        size = _bytes(self._specs[name], 1)
        staging = self._staged_states()
        for first in range(0, len(places), len(staging)):
            for row, place in enumerate(places[first : first + len(staging)]):
                staging[row] = values[first + row]
                self._cuda.upload(address + int(place) * size, staging[row], self.stream)
            self.wait()  # the memory is used again

    def _staged_states(self) -> NDArray[Any]:
        """Page-locked memory for a few states, from the first use on."""
        if _STATES not in self.host:
            spec = self._carries[0]
            shape = batch_shape(spec, min(self.capacity, _STAGED_STATES))
            self.host[_STATES] = self._cuda.pinned(shape, spec.dtype)
        return self.host[_STATES]

    def _allocate(self, scratch: int) -> None:
        cuda = self._cuda
        self.stream = cuda.stream()
        self._done = cuda.event()
        carries = {spec.name for spec in self._carries}
        successors = {f"{name}_next" for name in carries}
        for name, spec in self._specs.items():
            size = _bytes(spec, self.capacity)
            if name in carries:
                for carry_set in self._carry_sets:
                    carry_set[name] = cuda.malloc(size, name)
            elif name not in successors:
                self._device[name] = cuda.malloc(size, name)
                self.host[name] = cuda.pinned(batch_shape(spec, self.capacity), spec.dtype)
        if scratch:
            self._device["scratch"] = cuda.malloc(scratch, "intermediate results")

    def _move_together(self, slots: int) -> None:
        """Move the slots in use into the first places, which then are all that is computed."""
        free_places = iter(np.setdiff1d(np.arange(slots), self.places))
        for slot, place in enumerate(self.places):
            if place < slots:
                continue
            target = int(next(free_places))
            self._move(int(place), target)
            self.places[slot] = target
        self.slots = slots
        self._stale.add("reset")

    def _move(self, source: int, target: int) -> None:
        """Move everything of one place to another."""
        for spec in self._carries:
            address = self._carry_sets[self.front][spec.name]
            self._move_in_tensor(address, spec, source, target)
        self._move_in_tensor(self._device["logits"], self._specs["logits"], source, target)
        for name in self._puzzle_inputs():
            self.host[name][target] = self.host[name][source]
            self._stale.add(name)

    def _move_in_tensor(self, address: int, spec: TensorSpec, source: int, target: int) -> None:
        size = _bytes(spec, 1)
        self._cuda.move(address + target * size, address + source * size, size, self.stream)

    def _puzzle_inputs(self) -> list[str]:
        """The inputs that say what a slot works on; not every model has a puzzle embedding."""
        return [name for name in _PUZZLE_INPUTS if name in self.host]

    def _noise_inputs(self) -> list[str]:
        """The inputs for noise, where the engine has them."""
        return [name for name in NOISE_INPUTS if name in self.host]

    def _carry_addresses(self) -> list[int]:
        return [*self._carry_sets[0].values(), *self._carry_sets[1].values()]


def _bytes(spec: TensorSpec, slots: int) -> int:
    return int(np.prod(batch_shape(spec, slots))) * np.dtype(spec.dtype).itemsize


def _stretches(places: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Sorted places as contiguous stretches (first, end)."""
    cuts = np.flatnonzero(np.diff(places) > 1) + 1
    stretches = []
    for stretch in np.split(places, cuts):
        if len(stretch):
            stretches.append((int(stretch[0]), int(stretch[-1]) + 1))
    return stretches
