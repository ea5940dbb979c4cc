# ruff: noqa: N802 - the runtime's own names
"""A CUDA runtime without a GPU, which enforces what a GPU leaves undefined.

Work is done only when it is waited for, and host memory that a pending copy will fill is poisoned
until then, so a missing wait shows. Freed device memory must not be touched, copies need
page-locked memory, and :meth:`FakeCuda.leaks` lists what was not freed.
"""

from __future__ import annotations

import ctypes
import enum
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

POISON = 0xFF  # NaN in every float type


class Kind(enum.IntEnum):
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2
    cudaMemcpyDeviceToDevice = 3


class CaptureMode(enum.IntEnum):
    cudaStreamCaptureModeThreadLocal = 1


class Handle:
    """A stream, an event or a graph."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.queue: list[Callable[[], None]] = []
        self.captured: list[Callable[[], None]] | None = None
        self.reached = True

    def __int__(self) -> int:
        return self.number


class FakeCuda:
    """Replaces ``cuda.bindings.runtime``; calls return ``(error, value)`` as there.

    Args:
        failing: error code by name of the call that returns it.
    """

    cudaMemcpyKind = Kind
    cudaStreamCaptureMode = CaptureMode
    cudaStreamNonBlocking = 1
    cudaEventDisableTiming = 2

    def __init__(self, failing: dict[str, int] | None = None) -> None:
        self.failing = failing or {}
        self.numbers = itertools.count(1)
        self.device: dict[int, NDArray[np.uint8]] = {}
        self.host: dict[int, NDArray[np.uint8]] = {}
        self.handles: dict[int, Handle] = {}
        self.launches = 0
        self.uploads = 0
        self.uploaded: list[int] = []  # bytes of each copy to the device
        self.downloaded: list[int] = []  # bytes of each copy from it
        self._next = 0x7F00_0000_0000

    def __getattribute__(self, name: str) -> Any:
        failing = object.__getattribute__(self, "__dict__").get("failing", {})
        if name in failing:
            return lambda *arguments: (failing[name], None)
        return object.__getattribute__(self, name)

    def leaks(self) -> list[str]:
        """List the memory and handles that were not freed."""
        return [
            *(f"{len(block)} bytes on the device" for block in self.device.values()),
            *(f"{len(block)} page-locked bytes" for block in self.host.values()),
            *(f"handle {number}" for number in self.handles),
        ]

    def memory(self, address: int, size: int) -> NDArray[np.uint8]:
        """Allocated device memory.

        Args:
            address: of its first byte.
            size: in bytes.
        """
        for start, block in self.device.items():
            if start <= address and address + size <= start + len(block):
                return block[address - start : address - start + size]
        raise AssertionError(f"{size} bytes at {address:#x} are not allocated device memory")

    def enqueue(self, stream: int, work: Callable[[], None]) -> None:
        """Put work into a stream, or into the graph that is being captured from it.

        Args:
            stream: number of the stream.
            work: what is done once the stream is waited for.
        """
        handle = self.handles[stream]
        (handle.queue if handle.captured is None else handle.captured).append(work)

    def cudaSetDevice(self, device: int) -> tuple[int]:
        return (0,)

    def cudaGetErrorString(self, error: int) -> tuple[int, bytes]:
        messages = {2: b"out of memory", 700: b"an illegal memory access"}
        return 0, messages.get(error, b"unspecified failure")

    def cudaMalloc(self, size: int) -> tuple[int, int]:
        address = self._next
        self._next += size + 512 - size % 256
        self.device[address] = np.full(size, POISON, np.uint8)
        return 0, address

    def cudaFree(self, address: int) -> tuple[int]:
        assert address in self.device, "freed twice, or never allocated"
        del self.device[address]
        return (0,)

    def cudaMallocHost(self, size: int) -> tuple[int, int]:
        block = np.zeros(size, np.uint8)
        self.host[block.ctypes.data] = block
        return 0, block.ctypes.data

    def cudaFreeHost(self, address: int) -> tuple[int]:
        assert address in self.host
        del self.host[address]
        return (0,)

    def cudaMemcpyAsync(
        self, target: int, source: int, size: int, kind: Kind, stream: Handle
    ) -> tuple[int]:
        if kind == Kind.cudaMemcpyHostToDevice:
            self._pinned(source, size)
            self.uploads += 1

            def work() -> None:
                self.uploaded.append(size)
                self.memory(target, size)[:] = _bytes(source, size)

        elif kind == Kind.cudaMemcpyDeviceToHost:
            ctypes.memset(target, POISON, size)

            def work() -> None:
                self.downloaded.append(size)
                _bytes(target, size)[:] = self.memory(source, size)

        else:
            assert abs(target - source) >= size, "the two overlap"

            def work() -> None:
                self.memory(target, size)[:] = self.memory(source, size)

        self.enqueue(int(stream), work)
        return (0,)

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[int, Handle]:
        return 0, self._handle()

    def cudaEventCreateWithFlags(self, flags: int) -> tuple[int, Handle]:
        return 0, self._handle()

    def cudaStreamDestroy(self, handle: Handle) -> tuple[int]:
        del self.handles[handle.number]
        return (0,)

    cudaEventDestroy = cudaGraphDestroy = cudaGraphExecDestroy = cudaStreamDestroy

    def cudaEventRecord(self, event: Handle, stream: Handle) -> tuple[int]:
        event.reached = False
        event.queue = stream.queue

        def work() -> None:
            event.reached = True

        self.enqueue(int(stream), work)
        return (0,)

    def cudaEventSynchronize(self, event: Handle) -> tuple[int]:
        while not event.reached:
            event.queue.pop(0)()
        return (0,)

    def cudaStreamSynchronize(self, stream: Handle) -> tuple[int]:
        assert stream.captured is None, "a stream must not be waited for while a graph is captured"
        while stream.queue:
            stream.queue.pop(0)()
        return (0,)

    def cudaStreamBeginCapture(self, stream: Handle, mode: CaptureMode) -> tuple[int]:
        stream.captured = []
        return (0,)

    def cudaStreamEndCapture(self, stream: Handle) -> tuple[int, Handle]:
        graph = self._handle()
        graph.queue = stream.captured or []
        stream.captured = None
        return 0, graph

    def cudaGraphInstantiate(self, graph: Handle, flags: int) -> tuple[int, Handle]:
        executable = self._handle()
        executable.queue = list(graph.queue)
        return 0, executable

    def cudaGraphLaunch(self, graph: Handle, stream: Handle) -> tuple[int]:
        assert graph.number in self.handles, "the graph was destroyed"
        self.launches += 1
        for work in graph.queue:
            self.enqueue(int(stream), work)
        return (0,)

    def _handle(self) -> Handle:
        handle = Handle(next(self.numbers))
        self.handles[handle.number] = handle
        return handle

    def _pinned(self, address: int, size: int) -> None:
        assert any(
            start <= address and address + size <= start + len(block)
            for start, block in self.host.items()
        ), "an asynchronous copy from memory that is not page-locked"


def _bytes(address: int, size: int) -> NDArray[np.uint8]:
    memory: Any = (ctypes.c_byte * size).from_address(address)
    return np.frombuffer(memory, np.uint8)
