"""The CUDA runtime calls that an engine's loop makes, with errors that say what to do.

Device addresses, streams, events and graphs are cuda-python's own values; sizes are in bytes.
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
_DEFAULT_ADVICE = "Run trm-edge doctor to see what this machine has."
_ADVICE = (  # error codes of cudaError_t, and what to do
    ({2}, "Choose a smaller --batch, or close other programs that use the GPU."),
    (
        {35},
        "The driver is older than cuda-python: update the driver, or install an older cuda-python.",
    ),
    ({100}, "CUDA finds no GPU; --target cpu runs without one."),
    (
        {700, 702, 710, 714, 715, 716, 717, 718, 719},
        "The GPU's state is lost: restart the process, and report the error if it happens again.",
    ),
)


class Cuda:
    """The CUDA runtime on device 0; every failing call raises.

    All methods raise BackendError where the runtime reports an error.

    Args:
        runtime: replaces cuda-python's module in tests.

    Raises:
        MissingExtraError: cuda-python is not installed.
        BackendError: the runtime does not start.
    """

    def __init__(self, runtime: Any = None) -> None:
        self._runtime: Any = _load() if runtime is None else runtime
        self._check("select the device", self._runtime.cudaSetDevice(0))

    def malloc(self, size: int, purpose: str) -> int:
        """Allocate device memory, not initialized.

        Args:
            size: in bytes.
            purpose: names the memory in an error.

        Returns:
            Its device address.
        """
        action = f"allocate {size / 1e6:.1f} MB for {purpose}"
        return int(self._check(action, self._runtime.cudaMalloc(size)))

    def free(self, address: int) -> None:
        """Free device memory.

        Args:
            address: from :meth:`malloc`.
        """
        self._check("free device memory", self._runtime.cudaFree(address))

    def pinned(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """Allocate an array of zeros in page-locked memory, which asynchronous copies need.

        Args:
            shape: of the array.
            dtype: element type of the array.
        """
        count = int(np.prod(shape))
        size = max(1, count * np.dtype(dtype).itemsize)
        result = self._runtime.cudaMallocHost(size)
        address = int(self._check("allocate page-locked memory", result))
        ctypes.memset(address, 0, size)
        content = (ctypes.c_byte * size).from_address(address)
        return np.frombuffer(content, dtype, count=count).reshape(shape)

    def unpin(self, array: NDArray[Any]) -> None:
        """Free an array of :meth:`pinned`; it must not be used afterwards.

        Args:
            array: the whole array.
        """
        self._check("free page-locked memory", self._runtime.cudaFreeHost(array.ctypes.data))

    def upload(self, address: int, array: NDArray[Any], stream: Any) -> None:
        """Enqueue a copy to the device.

        Args:
            address: target on the device.
            array: contiguous and page-locked; must not change until the copy is done.
            stream: the stream to enqueue in.
        """
        self._copy(address, array.ctypes.data, array.nbytes, "cudaMemcpyHostToDevice", stream)

    def download(self, array: NDArray[Any], address: int, stream: Any) -> None:
        """Enqueue a copy from the device.

        Args:
            array: contiguous; holds the values once the stream has been waited for.
            address: source on the device.
            stream: the stream to enqueue in.
        """
        self._copy(array.ctypes.data, address, array.nbytes, "cudaMemcpyDeviceToHost", stream)

    def move(self, target: int, source: int, size: int, stream: Any) -> None:
        """Enqueue a copy within the device.

        Args:
            target: address on the device.
            source: address on the device; the two ranges must not overlap.
            size: in bytes.
            stream: the stream to enqueue in.
        """
        self._copy(target, source, size, "cudaMemcpyDeviceToDevice", stream)

    def stream(self) -> Any:
        """Create a stream that does not synchronize with the default stream."""
        flags = self._runtime.cudaStreamNonBlocking
        return self._check("create a stream", self._runtime.cudaStreamCreateWithFlags(flags))

    def drop_stream(self, stream: Any) -> None:
        """Destroy a stream.

        Args:
            stream: from :meth:`stream`.
        """
        self._check("destroy a stream", self._runtime.cudaStreamDestroy(stream))

    def wait(self, stream: Any) -> None:
        """Block until everything in a stream is done.

        Args:
            stream: from :meth:`stream`.
        """
        self._check("finish the work of a stream", self._runtime.cudaStreamSynchronize(stream))

    def event(self) -> Any:
        """Create an event without timing."""
        flags = self._runtime.cudaEventDisableTiming
        return self._check("create an event", self._runtime.cudaEventCreateWithFlags(flags))

    def drop_event(self, event: Any) -> None:
        """Destroy an event.

        Args:
            event: from :meth:`event`.
        """
        self._check("destroy an event", self._runtime.cudaEventDestroy(event))

    def record(self, event: Any, stream: Any) -> None:
        """Record an event after the work that is in a stream now.

        Args:
            event: from :meth:`event`.
            stream: from :meth:`stream`.
        """
        self._check("record an event", self._runtime.cudaEventRecord(event, stream))

    def wait_for(self, event: Any) -> None:
        """Block until the work before an event is done.

        Args:
            event: recorded by :meth:`record`.
        """
        self._check("finish the work before an event", self._runtime.cudaEventSynchronize(event))

    def capture(self, stream: Any, enqueue: Callable[[], None]) -> Any:
        """Capture work as a CUDA graph; nothing runs.

        Args:
            stream: the stream that ``enqueue`` uses.
            enqueue: enqueues the work.

        Returns:
            A graph for :meth:`launch`.
        """
        runtime = self._runtime
        mode = runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._check("begin a capture", runtime.cudaStreamBeginCapture(stream, mode))
        try:
            enqueue()
        except BaseException:
            self._give_up_capture(stream)
            raise
        graph = self._check("end a capture", runtime.cudaStreamEndCapture(stream))
        try:
            return self._check("instantiate a CUDA graph", runtime.cudaGraphInstantiate(graph, 0))
        finally:
            self._check("destroy a captured CUDA graph", runtime.cudaGraphDestroy(graph))

    def _give_up_capture(self, stream: Any) -> None:
        """End a capture that failed; errors are not reported, since the first one says more."""
        error, graph = self._runtime.cudaStreamEndCapture(stream)
        if not int(error):
            self._runtime.cudaGraphDestroy(graph)

    def launch(self, graph: Any, stream: Any) -> None:
        """Enqueue a captured CUDA graph.

        Args:
            graph: from :meth:`capture`.
            stream: the stream to enqueue in.
        """
        self._check("launch a CUDA graph", self._runtime.cudaGraphLaunch(graph, stream))

    def drop_graph(self, graph: Any) -> None:
        """Destroy a captured CUDA graph.

        Args:
            graph: from :meth:`capture`.
        """
        self._check("destroy a CUDA graph", self._runtime.cudaGraphExecDestroy(graph))

    def _copy(self, target: int, source: int, size: int, kind: str, stream: Any) -> None:
        direction = getattr(self._runtime.cudaMemcpyKind, kind)
        result = self._runtime.cudaMemcpyAsync(target, source, size, direction, stream)
        self._check(f"copy {size} bytes", result)

    def _check(self, action: str, result: tuple[Any, ...]) -> Any:
        """Unpack the result of a call; cuda-python returns (error, value) or (error,)."""
        error, *values = result
        if int(error):
            raise self._failed(action, error)
        if not values:
            return None
        return values[0]

    def _failed(self, action: str, error: Any) -> BackendError:
        code = int(error)
        _, text = self._runtime.cudaGetErrorString(error)
        message = text.decode() if isinstance(text, bytes) else str(text)
        advice = _DEFAULT_ADVICE
        for codes, specific in _ADVICE:
            if code in codes:
                advice = specific
        return BackendError(f"CUDA could not {action}: {message} ({code}). {advice}")


def _load() -> Any:
    for name in _MODULES:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise MissingExtraError("cuda-python", "tensorrt", "Running an engine on a GPU")
