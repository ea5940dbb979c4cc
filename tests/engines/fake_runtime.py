"""The runtime half of ``tensorrt``: an engine that computes a step graph with ONNX Runtime.

It runs on :class:`~tests.engines.fake_cuda.FakeCuda` and refuses what makes TensorRT's results
undefined: a tensor without an address, an output that overlaps another buffer, scratch memory that
two streams use at the same time, a context whose first step is captured in a graph.
"""

from __future__ import annotations

import enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.engines.fake_cuda import FakeCuda
from trm_edge.backends.base import carry_specs
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.backends.staged_noise import NoiseArrays
from trm_edge.config import ModelConfig
from trm_edge.engines.shapes import batch_shape
from trm_edge.step import NOISE_INPUTS, CarryType, TensorSpec, step_inputs, step_outputs

SCRATCH = 640  # bytes


class DataType(enum.Enum):
    FLOAT, HALF, INT32, BOOL, INT64 = range(5)


class TensorIOMode(enum.Enum):
    NONE, INPUT, OUTPUT = range(3)


class Strategy(enum.Enum):
    STATIC, ON_PROFILE_CHANGE, USER_MANAGED = range(3)


_TYPES = {
    "float32": DataType.FLOAT,
    "float16": DataType.HALF,
    "int32": DataType.INT32,
    "bool": DataType.BOOL,
}


def fake_runtime(
    cuda: FakeCuda,
    graph: Path,
    config: ModelConfig,
    *,
    version: str = "10.3.0",
    carry: CarryType = "float32",
    slots: tuple[int, int] = (1, 8),
    damaged: bool = False,
    noise: bool = False,
) -> Any:
    """Make a module whose engine computes a step graph.

    Args:
        cuda: the runtime that holds its tensors.
        graph: the step graph's file.
        config: the model that it computes.
        version: of the module; one that ends in ``rtx`` is TensorRT-RTX.
        carry: element type of the engine's carries.
        slots: range of slots that its engine was built for.
        damaged: the engine cannot be deserialized.
        noise: the graph has inputs for noise.
    """
    inputs = step_inputs(config, carry, noise=noise)
    outputs = step_outputs(config, carry)
    session = OnnxRuntimeBackend(graph, config, carry=carry, threads=1, noise=noise)
    rtx = version.endswith("rtx")

    class Context:
        def __init__(self) -> None:
            self._addresses: dict[str, int] = {}
            self._slots = 0
            self._scratch = (0, 0)
            self._has_run = False

        def set_device_memory(self, address: int, size: int) -> None:
            assert size >= SCRATCH
            self._scratch = (address, size)

        def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
            self._slots = shape[0]
            return slots[0] <= shape[0] <= slots[1]

        def set_tensor_address(self, name: str, address: int) -> bool:
            self._addresses[name] = address
            return address != 0

        def execute_async_v3(self, stream_handle: int) -> bool:
            assert set(self._addresses) == {spec.name for spec in (*inputs, *outputs)}
            self._refuse_overlaps()
            is_captured = cuda.handles[stream_handle].captured is not None
            assert self._has_run or not is_captured, "the first step of a context is captured"
            self._has_run = True
            users = module.scratch_users
            owner = users.setdefault(self._scratch[0], stream_handle)
            assert owner == stream_handle or not cuda.handles[owner].queue, "scratch is in use"
            users[self._scratch[0]] = stream_handle
            bound = dict(self._addresses)
            count = self._slots
            scratch = self._scratch

            def work() -> None:
                cuda.memory(*scratch)[:] = 0
                feeds = {}
                for spec in inputs:
                    memory = cuda.memory(bound[spec.name], _size(spec, count))
                    feeds[spec.name] = memory.view(spec.dtype).reshape(batch_shape(spec, count))
                # The buffers of a slot that starts hold no carry, perhaps NaN.
                starts = feeds["reset"][:, None, None]
                states = []
                for spec in carry_specs(inputs):
                    states.append(np.where(starts, 0, feeds[spec.name]).astype(carry))
                embedding = feeds.get("puzzle_embedding")
                tokens = feeds["tokens"].copy()
                arrays_of_noise = None
                if noise:
                    arrays_of_noise = NoiseArrays(*(feeds[name].copy() for name in NOISE_INPUTS))
                with session:
                    arrays = session.run(
                        tokens, embedding, feeds["reset"].copy(), states, arrays_of_noise
                    )
                results = (*arrays.carry, arrays.logits, arrays.q_halt, arrays.q_continue)
                for spec, result in zip(outputs, results, strict=True):
                    target = cuda.memory(bound[spec.name], result.nbytes)
                    target[:] = np.ascontiguousarray(result).view(np.uint8).ravel()

            cuda.enqueue(stream_handle, work)
            return True

        def _refuse_overlaps(self) -> None:
            spans = {
                spec.name: (self._addresses[spec.name], _size(spec, self._slots))
                for spec in (*inputs, *outputs)
            }
            for spec in outputs:
                start, size = spans[spec.name]
                for name, (other_start, other_size) in spans.items():
                    apart = start + size <= other_start or other_start + other_size <= start
                    assert name == spec.name or apart, f"{spec.name} overlaps {name}"

    class RtxContext(Context):
        def is_stream_capturable(self, stream: int) -> bool:
            return True

    class RuntimeCache:
        def __init__(self) -> None:
            self._content = b""

        def deserialize(self, content: bytes) -> bool:
            self._content = content
            return True

        def serialize(self) -> memoryview:
            return memoryview(self._content or b"kernels")

    class RuntimeConfig:
        def set_execution_context_allocation_strategy(self, strategy: Strategy) -> None:
            assert strategy is Strategy.USER_MANAGED

        def create_runtime_cache(self) -> RuntimeCache:
            return RuntimeCache()

        def set_runtime_cache(self, cache: RuntimeCache) -> bool:
            module.cache = cache
            return True

    class Engine:
        num_io_tensors = len(inputs) + len(outputs)
        device_memory_size_v2 = SCRATCH

        def get_tensor_name(self, index: int) -> str:
            return [spec.name for spec in (*outputs, *inputs)][index]  # not in the contract's order

        def get_tensor_mode(self, name: str) -> TensorIOMode:
            input_names = {spec.name for spec in inputs}
            return TensorIOMode.INPUT if name in input_names else TensorIOMode.OUTPUT

        def get_tensor_dtype(self, name: str) -> DataType:
            return _TYPES[_spec(name).dtype]

        def get_tensor_shape(self, name: str) -> tuple[int, ...]:
            return batch_shape(_spec(name), -1)

        def get_tensor_profile_shape(self, name: str, profile: int) -> list[tuple[int, ...]]:
            return [batch_shape(_spec(name), count) for count in (slots[0], slots[1], slots[1])]

        def create_execution_context(self, settings: Any) -> Context:
            if rtx:
                assert isinstance(settings, RuntimeConfig)
                return RtxContext()
            assert settings is Strategy.USER_MANAGED
            return Context()

    class RtxEngine(Engine):
        def create_runtime_config(self) -> RuntimeConfig:
            return RuntimeConfig()

    class Runtime:
        def __init__(self, logger: Any) -> None:
            pass

        def deserialize_cuda_engine(self, content: bytes) -> Engine | None:
            return None if damaged else (RtxEngine() if rtx else Engine())

    def _spec(name: str) -> TensorSpec:
        return next(spec for spec in (*inputs, *outputs) if spec.name == name)

    module = SimpleNamespace(
        __name__="tensorrt_rtx" if rtx else "tensorrt",
        __version__=version,
        Runtime=Runtime,
        TensorIOMode=TensorIOMode,
        ExecutionContextAllocationStrategy=Strategy,
        scratch_users={},
        cache=None,
    )
    return module


def _size(spec: TensorSpec, slots: int) -> int:
    return int(np.prod(batch_shape(spec, slots))) * np.dtype(spec.dtype).itemsize
