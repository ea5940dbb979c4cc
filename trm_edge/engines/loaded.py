"""An engine of TensorRT or TensorRT-RTX in memory: checked against the contract, then shared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trm_edge.config import ModelConfig
from trm_edge.errors import BackendError
from trm_edge.files import write_bytes
from trm_edge.step import CarryType, TensorSpec, describe_mismatch, step_inputs, step_outputs

_TYPES = {"FLOAT": "float32", "HALF": "float16", "INT32": "int32", "BOOL": "bool"}


class LoadedEngine:
    """A deserialized engine.

    Args:
        path: the engine's file.
        trt: the module, ``tensorrt`` or ``tensorrt_rtx``.
        logger: one of its loggers, which outlives the engine.
        errors: gives what the logger has recorded as errors.
        runtime_cache: where TensorRT-RTX keeps the kernels that it compiles when it runs first.

    Raises:
        BackendError: the engine cannot be loaded or breaks the step contract.
    """

    def __init__(
        self,
        path: Path,
        config: ModelConfig,
        carry: CarryType,
        trt: Any,
        logger: Any,
        errors: Callable[[], list[str]] = list,
        runtime_cache: Path | None = None,
    ) -> None:
        self.path, self._trt, self._cache_path = path, trt, runtime_cache
        self._errors = errors
        self.runtime = trt.Runtime(logger)
        self.engine = self.runtime.deserialize_cuda_engine(path.read_bytes())
        if self.engine is None:
            said = "; ".join(errors()[-3:]) or "it gave no reason"
            raise BackendError(
                f"{trt.__name__} {trt.__version__} cannot load {path}: {said}. Build it again, on "
                "this device, with: trm-edge build"
            )
        self.inputs, self.outputs = step_inputs(config, carry), step_outputs(config, carry)
        self._check()
        least, _, most = self.engine.get_tensor_profile_shape("tokens", 0)
        self.slots = (int(least[0]), int(most[0]))  # fewest and most that it was built for
        self.scratch = int(self.engine.device_memory_size_v2)  # bytes that a running step needs
        self._config, self._cache = self._runtime_config()

    def context(self, slots: int, scratch: int, addresses: Mapping[str, int]) -> Any:
        """An execution context for that many slots, bound to buffers once and for all.

        Args:
            scratch: address of ``self.scratch`` bytes; contexts that never run at the same time
                may share it.
            addresses: of every input and output.
        """
        strategy = self._trt.ExecutionContextAllocationStrategy.USER_MANAGED
        context = self.engine.create_execution_context(self._config or strategy)
        if context is None:
            raise self._failed(f"no context for {slots} slots could be made")
        if self.scratch:
            context.set_device_memory(scratch, self.scratch)
        for spec in self.inputs:
            shape = tuple(slots if axis is None else axis for axis in spec.shape)
            if not context.set_input_shape(spec.name, shape):
                raise self._failed(f"{spec.name} may not have the shape {shape}")
        for spec in (*self.inputs, *self.outputs):
            if not context.set_tensor_address(spec.name, addresses[spec.name]):
                raise self._failed(f"{spec.name} could not be bound")
        return context

    def enqueue(self, context: Any, stream: Any) -> None:
        """Put one step into a stream."""
        if not context.execute_async_v3(int(stream)):
            raise self._failed("a step could not be enqueued")

    def close(self) -> None:
        """Keep the runtime cache and let go of the engine."""
        if self._cache is not None and self._cache_path is not None:
            content = bytes(self._cache.serialize())
            if content and content != self._kept:
                write_bytes(self._cache_path, content)
        self._cache = self._config = self.engine = self.runtime = None

    def _check(self) -> None:
        trt, engine = self._trt, self.engine
        found: dict[Any, dict[str, TensorSpec]] = {}
        for index in range(engine.num_io_tensors):
            name = engine.get_tensor_name(index)
            kind = str(engine.get_tensor_dtype(name)).rpartition(".")[2]
            shape = tuple(None if n < 0 else int(n) for n in engine.get_tensor_shape(name))
            spec = TensorSpec(name, shape, _TYPES.get(kind, kind.lower()))
            found.setdefault(engine.get_tensor_mode(name), {})[name] = spec
        for mode, what, expected in (
            (trt.TensorIOMode.INPUT, "inputs", self.inputs),
            (trt.TensorIOMode.OUTPUT, "outputs", self.outputs),
        ):
            here = found.get(mode, {})
            order = {spec.name: place for place, spec in enumerate(expected)}
            listed = sorted(here.values(), key=lambda spec: order.get(spec.name, len(order)))
            problem = describe_mismatch(expected, listed)
            if problem:
                raise BackendError(
                    f"{self.path} breaks the step contract in its {what}: {problem}. Build it "
                    "again from a bundle with: trm-edge build"
                )

    def _runtime_config(self) -> tuple[Any, Any]:
        """TensorRT-RTX's settings with its cache; None twice for TensorRT, which has neither."""
        self._kept = b""
        if self._cache_path is None or not hasattr(self.engine, "create_runtime_config"):
            return None, None
        config = self.engine.create_runtime_config()
        if not hasattr(config, "create_runtime_cache"):
            return None, None
        strategy = self._trt.ExecutionContextAllocationStrategy.USER_MANAGED
        config.set_execution_context_allocation_strategy(strategy)
        cache = config.create_runtime_cache()
        if self._cache_path.exists():
            self._kept = self._cache_path.read_bytes()
            cache.deserialize(self._kept)  # of another version: it stays empty and is filled anew
        config.set_runtime_cache(cache)
        return config, cache

    def _failed(self, what: str) -> BackendError:
        said = "; ".join(self._errors()[-3:])
        return BackendError(f"{self.path}: {what}." + (f" It said: {said}" if said else ""))
