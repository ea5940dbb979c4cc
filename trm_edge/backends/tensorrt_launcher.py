"""Launches an engine's steps, as CUDA graphs from the third step on.

For a number of slots there are two bindings, from carry set 0 to 1 and back. Each becomes a CUDA
graph: its first step is enqueued directly, which compiles kernels and allocates what they need; its
second is captured, and from then on a step is a single launch.
"""

from __future__ import annotations

from typing import Any

from trm_edge.backends.tensorrt_buffers import StepBuffers
from trm_edge.engines.cuda import Cuda
from trm_edge.engines.loaded import LoadedEngine


class StepLauncher:
    """The execution contexts and CUDA graphs of an engine that works on some buffers.

    Args:
        cuda: captures and launches.
        engine: creates the contexts.
        buffers: the memory that the contexts are bound to; must outlive the launcher.
    """

    def __init__(self, cuda: Cuda, engine: LoadedEngine, buffers: StepBuffers) -> None:
        self._cuda = cuda
        self._engine = engine
        self._buffers = buffers
        # By number of slots and the set of carries that is read.
        self._contexts: dict[tuple[int, int], Any] = {}
        self._enqueued: set[tuple[int, int]] = set()  # contexts that have done a step
        self._graphs: dict[tuple[int, int], Any] = {}

    @property
    def captured_slots(self) -> set[int]:
        """Numbers of slots for which there is a CUDA graph."""
        return {slots for slots, _ in self._graphs}

    def launch(self) -> None:
        """Enqueue one step of all slots, and the download of its halting logits.

        Raises:
            BackendError: TensorRT or CUDA failed.
        """
        buffers = self._buffers
        key = (buffers.slots, buffers.front)
        if key in self._graphs:
            self._cuda.launch(self._graphs[key], buffers.stream)
            return
        if key not in self._contexts:
            self._contexts[key] = self._engine.context(
                buffers.slots, buffers.scratch, buffers.addresses(buffers.front)
            )
        context = self._contexts[key]

        def enqueue() -> None:
            self._engine.enqueue(context, buffers.stream)
            buffers.download_halting()

        # An interrupt may come between a context and its first step, which cannot be captured.
        if key not in self._enqueued or not _is_capturable(context, buffers.stream):
            enqueue()
            self._enqueued.add(key)
            return
        self._graphs[key] = self._cuda.capture(buffers.stream, enqueue)
        self._cuda.launch(self._graphs[key], buffers.stream)

    def close(self) -> None:
        """Drop contexts and graphs; nothing of them may be running."""
        graphs = self._graphs
        self._contexts = {}
        self._enqueued = set()
        self._graphs = {}
        for graph in graphs.values():
            self._cuda.drop_graph(graph)


def _is_capturable(context: Any, stream: Any) -> bool:
    """TensorRT-RTX says so; TensorRT's contexts always are, after their first step."""
    if not hasattr(context, "is_stream_capturable"):
        return True
    return bool(context.is_stream_capturable(int(stream)))
