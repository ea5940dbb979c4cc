"""The few calls of the CUDA runtime that an engine's loop makes, with errors in words.

Device addresses, streams, events and graphs are what ``cuda-python`` gives; sizes are in bytes.
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.errors import BackendError, MissingExtraError

_MODULES = ("cuda.bindings.runtime", "cuda.cudart")  # the second until cuda-python 12.6
_LOOK = "Run trm-edge doctor to see what this machine has."
_ADVICE = (
    ({2}, "Choose a smaller --batch, or close what else uses the GPU."),
    (
        {35},
        "Its driver is older than cuda-python: update the driver, or install an older cuda-python.",
    ),
    ({100}, "There is no GPU that it can use; --target cpu runs without one."),
    (
        {700, 702, 710, 714, 715, 716, 717, 718, 719},
        "The GPU's state is lost: start the process again, and report it if it happens twice.",
    ),
)


class Cuda:
    """The runtime of device 0; every failing call raises.

    Args:
        runtime: stands for cuda-python's module, in tests.

    Raises:
        MissingExtraError: cuda-python is not installed.
        BackendError: the runtime does not start.
    """

    def __init__(self, runtime: Any = None) -> None:
        self._rt: Any = runtime if runtime is not None else _load()
        self._do("choose the device", self._rt.cudaSetDevice(0))

    def malloc(self, size: int, what: str) -> int:
        """Device memory, not initialised."""
        return int(self._do(f"allocate {size / 1e6:.1f} MB for {what}", self._rt.cudaMalloc(size)))

    def free(self, address: int) -> None:
        self._do("free device memory", self._rt.cudaFree(address))

    def pinned(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """An array in page-locked memory, which asynchronous copies need; zeros."""
        size = max(1, int(np.prod(shape)) * np.dtype(dtype).itemsize)
        address = int(self._do("allocate page-locked memory", self._rt.cudaMallocHost(size)))
        ctypes.memset(address, 0, size)
        content = (ctypes.c_byte * size).from_address(address)
        return np.frombuffer(content, dtype, count=int(np.prod(shape))).reshape(shape)

    def unpin(self, array: NDArray[Any]) -> None:
        """Free an array of :meth:`pinned`; it must not be touched again."""
        self._do("free page-locked memory", self._rt.cudaFreeHost(array.ctypes.data))

    def upload(self, address: int, array: NDArray[Any], stream: Any) -> None:
        """Copy a contiguous array to the device; the array must stay as it is until then."""
        self._copy(address, array.ctypes.data, array.nbytes, "cudaMemcpyHostToDevice", stream)

    def download(self, array: NDArray[Any], address: int, stream: Any) -> None:
        """Copy into a contiguous array, which is filled once the stream was waited for."""
        self._copy(array.ctypes.data, address, array.nbytes, "cudaMemcpyDeviceToHost", stream)

    def move(self, target: int, source: int, size: int, stream: Any) -> None:
        """Copy within the device; the two must not overlap."""
        self._copy(target, source, size, "cudaMemcpyDeviceToDevice", stream)

    def stream(self) -> Any:
        flags = self._rt.cudaStreamNonBlocking
        return self._do("make a stream", self._rt.cudaStreamCreateWithFlags(flags))

    def drop_stream(self, stream: Any) -> None:
        self._do("drop a stream", self._rt.cudaStreamDestroy(stream))

    def wait(self, stream: Any) -> None:
        """Block until everything in the stream is done."""
        self._do("finish its work", self._rt.cudaStreamSynchronize(stream))

    def event(self) -> Any:
        flags = self._rt.cudaEventDisableTiming
        return self._do("make an event", self._rt.cudaEventCreateWithFlags(flags))

    def drop_event(self, event: Any) -> None:
        self._do("drop an event", self._rt.cudaEventDestroy(event))

    def record(self, event: Any, stream: Any) -> None:
        self._do("mark a place in its work", self._rt.cudaEventRecord(event, stream))

    def wait_for(self, event: Any) -> None:
        """Block until the work before the event is done."""
        self._do("finish its work", self._rt.cudaEventSynchronize(event))

    def capture(self, stream: Any, enqueue: Callable[[], None]) -> Any:
        """A launchable CUDA graph of what ``enqueue`` puts into the stream; nothing is run."""
        mode = self._rt.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._do("begin a capture", self._rt.cudaStreamBeginCapture(stream, mode))
        try:
            enqueue()
        except BaseException:
            self._rt.cudaStreamEndCapture(stream)  # whatever it says: the first error tells more
            raise
        graph = self._do("end a capture", self._rt.cudaStreamEndCapture(stream))
        try:
            return self._do("prepare a CUDA graph", self._rt.cudaGraphInstantiate(graph, 0))
        finally:
            self._do("drop a CUDA graph", self._rt.cudaGraphDestroy(graph))

    def launch(self, graph: Any, stream: Any) -> None:
        self._do("launch a CUDA graph", self._rt.cudaGraphLaunch(graph, stream))

    def drop_graph(self, graph: Any) -> None:
        self._do("drop a CUDA graph", self._rt.cudaGraphExecDestroy(graph))

    def _copy(self, target: int, source: int, size: int, kind: str, stream: Any) -> None:
        direction = getattr(self._rt.cudaMemcpyKind, kind)
        done = self._rt.cudaMemcpyAsync(target, source, size, direction, stream)
        self._do(f"copy {size} bytes", done)

    def _do(self, what: str, answer: tuple[Any, ...]) -> Any:
        error, *values = answer
        if int(error):
            raise self._failed(what, error)
        return values[0] if values else None

    def _failed(self, what: str, error: Any) -> BackendError:
        code = int(error)
        _, text = self._rt.cudaGetErrorString(error)
        said = text.decode() if isinstance(text, bytes) else str(text)
        advice = next((text for codes, text in _ADVICE if code in codes), _LOOK)
        return BackendError(f"CUDA could not {what}: {said} ({code}). {advice}")


def _load() -> Any:
    for name in _MODULES:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise MissingExtraError("cuda-python", "tensorrt", "Running an engine on a GPU")
