"""A step graph in ONNX Runtime on a GPU: for targets whose engine has not been built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import HaltingLogits
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.config import ModelConfig
from trm_edge.errors import BackendError
from trm_edge.step import CarryType

_CARRIES = ("z_H", "z_L")


class OnnxRuntimeCudaBackend(OnnxRuntimeBackend):
    """As its base, with carries and logits that stay on the device.

    Args:
        device: ``cpu`` goes through the same calls without a GPU, for tests.
    """

    name = "onnxruntime-cuda"
    provider = "CUDAExecutionProvider"
    _advice = "CUDA or cuDNN cannot be loaded. Install onnxruntime-gpu, or choose --target cpu."

    def __init__(
        self,
        graph: Path,
        config: ModelConfig,
        *,
        carry: CarryType = "float32",
        device: str = "cuda",
    ) -> None:
        super().__init__(graph, config, carry=carry)
        self._where = device
        if device == "cpu":
            self.provider = OnnxRuntimeBackend.provider
        self._states: dict[str, Any] = {}

    def deactivate(self) -> None:
        self._states = {}
        super().deactivate()

    def start(self, slots: int) -> None:
        shape = (slots, self.config.carry_len, self.config.hidden_size)
        self._states = {name: self._put(np.zeros(shape, self.carry_type)) for name in _CARRIES}

    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        if self._session is None:
            raise BackendError("the engine is not loaded: use the backend in a with statement.")
        binding = self._session.io_binding()
        binding.bind_cpu_input("tokens", np.ascontiguousarray(tokens))
        binding.bind_cpu_input("reset", np.ascontiguousarray(reset))
        if puzzle_embedding is not None:
            rows = np.ascontiguousarray(puzzle_embedding, self.carry_type)
            binding.bind_cpu_input("puzzle_embedding", rows)
        for name in _CARRIES:
            binding.bind_ortvalue_input(name, self._states[name])
        for spec in self._outputs:
            small = spec.name in ("q_halt", "q_continue")
            binding.bind_output(spec.name, "cpu" if small else self._where)
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:
            raise BackendError(f"ONNX Runtime failed in {self.graph}: {error}") from error
        names = [spec.name.removesuffix("_next") for spec in self._outputs]
        outputs = dict(zip(names, binding.get_outputs(), strict=True))
        q_halt, q_continue = (outputs.pop(name).numpy() for name in ("q_halt", "q_continue"))
        self._states = outputs
        return HaltingLogits(q_halt, q_continue)

    def logits(self, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        chosen: NDArray[np.float32] = self._states["logits"].numpy()[slots]
        return chosen

    def carry(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        z_H, z_L = (self._states[name].numpy().astype(np.float32) for name in _CARRIES)
        return z_H, z_L

    def compact(self, slots: NDArray[np.int64]) -> None:
        self._states = {
            name: self._put(value.numpy()[slots]) for name, value in self._states.items()
        }

    def _put(self, array: NDArray[Any]) -> Any:
        import onnxruntime as ort

        return ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), self._where)
