"""A deserialized engine of TensorRT or TensorRT-RTX, checked against the step contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trm_edge.config import ModelConfig
from trm_edge.engines.compiler import Compiler
from trm_edge.engines.record import REBUILD, RUNTIME_CACHE
from trm_edge.engines.shapes import batch_shape
from trm_edge.errors import BackendError
from trm_edge.files import write_bytes
from trm_edge.step import CarryType, TensorSpec, describe_mismatch, step_inputs, step_outputs

_TYPES = {"FLOAT": "float32", "HALF": "float16", "INT32": "int32", "BOOL": "bool"}


class LoadedEngine:
    """An engine in memory, which several execution contexts share.

    Args:
        path: the engine's file.
        config: the model that it computes.
        carry: element type of the carries.
        trt: the module, ``tensorrt`` or ``tensorrt_rtx``.
        logger: one of the module's loggers; must outlive the engine.
        errors: lists what the logger has recorded as errors.
        runtime_cache: file in which TensorRT-RTX keeps the kernels that it compiles on first use;
            None for TensorRT.
        noise: the engine has inputs for noise.

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
        *,
        noise: bool = False,
    ) -> None:
        self.path = path
        self.noise = noise
        self.inputs = step_inputs(config, carry, noise=noise)
        self.outputs = step_outputs(config, carry)
        self._trt = trt
        self._errors = errors
        self._cache_path = runtime_cache
        self._cached = b""  # content of the cache's file
        self._config: Any = None
        self._cache: Any = None
        self.runtime = trt.Runtime(logger)
        self.engine = self.runtime.deserialize_cuda_engine(path.read_bytes())
        if self.engine is None:
            reason = "; ".join(errors()[-3:]) or "it logged no error"
            raise BackendError(
                f"{trt.__name__} {trt.__version__} cannot load {path}: {reason}. Build it again on "
                "this device with: trm-edge build"
            )
        self._check_contract()
        smallest, _, largest = self.engine.get_tensor_profile_shape("tokens", 0)
        self.slots = (int(smallest[0]), int(largest[0]))  # range of slots that it was built for
        self.scratch = int(self.engine.device_memory_size_v2)  # bytes that a running step needs
        if runtime_cache is not None:
            self._open_runtime_cache(runtime_cache)

    @classmethod
    def open(
        cls,
        path: Path,
        config: ModelConfig,
        carry: CarryType,
        compiler: Compiler,
        *,
        noise: bool = False,
    ) -> LoadedEngine:
        """Load an engine with the compiler that built it; its runtime cache lies beside it.

        Args:
            path: the engine's file.
            config: the model that it computes.
            carry: element type of the carries.
            compiler: gives the module, its logger and its log.
            noise: the engine has inputs for noise.

        Raises:
            BackendError: the engine cannot be loaded or breaks the step contract.
        """
        runtime_cache = None if compiler.needs_gpu else path.parent / RUNTIME_CACHE

        def errors() -> list[str]:
            return compiler.log.errors

        return cls(
            path,
            config,
            carry,
            compiler.trt,
            compiler.logger,
            errors,
            runtime_cache,
            noise=noise,
        )

    def context(self, slots: int, scratch: int, addresses: Mapping[str, int]) -> Any:
        """Create an execution context for a number of slots, bound to its buffers for good.

        Args:
            slots: number of slots that it computes.
            scratch: device address of ``self.scratch`` bytes; contexts that never run at the same
                time may share it.
            addresses: device address of every input and output, by name.

        Raises:
            BackendError: TensorRT refuses; quotes its log.
        """
        strategy = self._trt.ExecutionContextAllocationStrategy.USER_MANAGED
        settings = strategy if self._config is None else self._config
        context = self.engine.create_execution_context(settings)
        if context is None:
            raise self._failed(f"creating an execution context for {slots} slots failed")
        if self.scratch:
            context.set_device_memory(scratch, self.scratch)
        for spec in self.inputs:
            shape = batch_shape(spec, slots)
            if not context.set_input_shape(spec.name, shape):
                raise self._failed(f"TensorRT rejects the shape {shape} of {spec.name}")
        for spec in (*self.inputs, *self.outputs):
            if not context.set_tensor_address(spec.name, addresses[spec.name]):
                raise self._failed(f"TensorRT rejects the address of {spec.name}")
        return context

    def enqueue(self, context: Any, stream: Any) -> None:
        """Enqueue one step.

        Args:
            context: from :meth:`context`.
            stream: the CUDA stream to enqueue in.

        Raises:
            BackendError: TensorRT refuses; quotes its log.
        """
        if not context.execute_async_v3(int(stream)):
            raise self._failed("enqueuing a step failed")

    def close(self) -> None:
        """Write the runtime cache and release the engine."""
        if self._cache is not None and self._cache_path is not None:
            content = bytes(self._cache.serialize())
            if content and content != self._cached:
                write_bytes(self._cache_path, content)
        self._cache = None
        self._config = None
        self.engine = None
        self.runtime = None

    def _check_contract(self) -> None:
        modes = self._trt.TensorIOMode
        self._check_tensors("inputs", self._tensors(modes.INPUT), self.inputs)
        self._check_tensors("outputs", self._tensors(modes.OUTPUT), self.outputs)

    def _tensors(self, mode: Any) -> list[TensorSpec]:
        """The engine's own inputs or outputs."""
        specs = []
        for index in range(self.engine.num_io_tensors):
            name = self.engine.get_tensor_name(index)
            if self.engine.get_tensor_mode(name) != mode:
                continue
            dtype = str(self.engine.get_tensor_dtype(name)).rpartition(".")[2]
            axes = self.engine.get_tensor_shape(name)
            shape = tuple(None if axis < 0 else int(axis) for axis in axes)
            specs.append(TensorSpec(name, shape, _TYPES.get(dtype, dtype.lower())))
        return specs

    def _check_tensors(
        self, description: str, actual: list[TensorSpec], expected: tuple[TensorSpec, ...]
    ) -> None:
        """Compare in the contract's order: an engine lists its tensors in any order."""
        order = {spec.name: place for place, spec in enumerate(expected)}
        actual.sort(key=lambda spec: order.get(spec.name, len(order)))
        problem = describe_mismatch(expected, actual)
        if problem:
            raise BackendError(
                f"{self.path} breaks the step contract in its {description}: {problem}. {REBUILD}"
            )

    def _open_runtime_cache(self, path: Path) -> None:
        """TensorRT-RTX has a runtime configuration with a cache; older versions have neither."""
        if not hasattr(self.engine, "create_runtime_config"):
            return
        config = self.engine.create_runtime_config()
        if not hasattr(config, "create_runtime_cache"):
            return
        strategy = self._trt.ExecutionContextAllocationStrategy.USER_MANAGED
        config.set_execution_context_allocation_strategy(strategy)
        cache = config.create_runtime_cache()
        if path.exists():
            self._cached = path.read_bytes()
            cache.deserialize(self._cached)  # that of another version is ignored and filled again
        config.set_runtime_cache(cache)
        self._config = config
        self._cache = cache

    def _failed(self, problem: str) -> BackendError:
        reason = "; ".join(self._errors()[-3:])
        message = f"{self.path}: {problem}."
        if reason:
            message += f" TensorRT's log: {reason}"
        return BackendError(message)
