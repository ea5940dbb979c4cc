"""A step graph in ONNX Runtime on a GPU: for targets whose engine has not been built."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import NOT_LOADED, HaltingLogits, carry_specs
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.backends.onnxruntime_session import CPU_PROVIDER, CUDA_PROVIDER
from trm_edge.backends.staged_noise import warn_of_copied_carries
from trm_edge.config import ModelConfig
from trm_edge.errors import BackendError
from trm_edge.step import CarryType

_HALTING = ("q_halt", "q_continue")


class OnnxRuntimeCudaBackend(OnnxRuntimeBackend):
    """Runs ``step.onnx`` on a GPU and keeps carries and logits there.

    Args:
        graph: the step graph's file.
        config: the model that it computes.
        carry: element type of the carries, as the graph declares it.
        sha256: of the graph, verified when it is loaded; None: it is not.
        device: ``cuda``; ``cpu`` makes the same calls without a GPU, for tests.
        noise: the graph has inputs for noise.
    """

    name = "onnxruntime-cuda"
    is_parallel = True
    can_add_slots = False  # every carry would pass through the host
    provider = CUDA_PROVIDER
    _provider_advice = (
        "CUDA or cuDNN cannot be loaded, or another package has overwritten onnxruntime-gpu: "
        "trm-edge doctor tells. Install onnxruntime-gpu with its CUDA libraries, or choose "
        "--target cpu."
    )

    def __init__(
        self,
        graph: Path,
        config: ModelConfig,
        *,
        carry: CarryType = "float32",
        sha256: str | None = None,
        device: str = "cuda",
        noise: bool = False,
    ) -> None:
        super().__init__(graph, config, carry=carry, sha256=sha256, noise=noise)
        self._device = device
        if device == "cpu":
            self.provider = CPU_PROVIDER
        self._carry_names = tuple(spec.name for spec in carry_specs(self._inputs))
        self._on_device: dict[str, Any] = {}  # carries and logits

    def deactivate(self) -> None:
        """Release the graph and what lies on the device; a second call does nothing."""
        self._on_device = {}
        super().deactivate()

    def start(self, slots: int) -> None:
        """Prepare carries of zeros, which the first step resets.

        Args:
            slots: B, the number of puzzles worked on at once.
        """
        shape = (slots, self.config.carry_len, self.config.hidden_size)
        zeros = np.zeros(shape, self.carry_type)
        self._on_device = {name: self._upload(zeros) for name in self._carry_names}
        self._start_noise(slots)

    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        """Advance all slots by one ACT step.

        Args:
            tokens: (B, L) int32.
            puzzle_embedding: (B, E) float32; None where the model has no table.
            reset: (B,) bool; True where a slot starts from the initial state.

        Raises:
            BackendError: the backend is not active, or ONNX Runtime failed.
        """
        if self._session is None:
            raise BackendError(NOT_LOADED)
        binding = self._session.io_binding()
        binding.bind_cpu_input("tokens", np.ascontiguousarray(tokens))
        binding.bind_cpu_input("reset", np.ascontiguousarray(reset))
        if puzzle_embedding is not None:
            embedding = np.ascontiguousarray(puzzle_embedding, self.carry_type)
            binding.bind_cpu_input("puzzle_embedding", embedding)
        if self._noise is not None:
            for name, values in self._noise.take().feeds().items():
                binding.bind_cpu_input(name, values)
        for name in self._carry_names:
            binding.bind_ortvalue_input(name, self._on_device[name])
        for spec in self._outputs:
            device = "cpu" if spec.name in _HALTING else self._device
            binding.bind_output(spec.name, device)
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:
            raise BackendError(f"ONNX Runtime failed in {self.graph}: {error}") from error
        names = [spec.name.removesuffix("_next") for spec in self._outputs]
        outputs = dict(zip(names, binding.get_outputs(), strict=True))
        q_halt = outputs.pop("q_halt").numpy()
        q_continue = outputs.pop("q_continue").numpy()
        self._on_device = outputs
        return HaltingLogits(q_halt, q_continue)

    def logits(self, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the token logits of the last step.

        Args:
            slots: (n,) int64, indices of slots.

        Returns:
            (n, L, V) float32.
        """
        chosen: NDArray[np.float32] = self._on_device["logits"].numpy()[slots]
        return chosen

    def carry(self) -> tuple[NDArray[np.float32], ...]:
        """Return the carries after the last step, in the contract's order.

        Returns:
            (B, P + L, D) float32 each; copies.
        """
        states = [self._on_device[name].numpy() for name in self._carry_names]
        return tuple(state.astype(np.float32) for state in states)

    def write_carry(
        self, slots: NDArray[np.int64], states: Mapping[str, NDArray[np.float32]]
    ) -> None:
        """Replace states of some slots; ONNX Runtime can only copy whole carries to a device.

        Args:
            slots: (n,) int64, indices of slots.
            states: (n, P + L, D) float32 by the name of the state; the others stay as they are.
        """
        for name, values in states.items():
            carry = self._on_device[name].numpy().copy()
            carry[slots] = values
            self._on_device[name] = self._upload(carry)

    def add_noise(
        self,
        slots: NDArray[np.int64],
        windows: Mapping[str, NDArray[np.int64]],
        sigma: NDArray[np.float32],
    ) -> None:
        """Add noise in the next step; with a warning by copies where the graph has no input for it.

        Args:
            slots: (n,) int64, indices of slots.
            windows: (n,) int64 by the name of the state, windows of the noise table.
            sigma: (n,) float32, standard deviations.

        Raises:
            BackendError: a window does not lie in the table.
        """
        if not self.noise_follows_reset(windows):
            answer = self.config.recursion.answer
            warn_of_copied_carries(self.graph, answer, has_input=self._noise is not None)
        super().add_noise(slots, windows, sigma)

    def compact(self, slots: NDArray[np.int64]) -> None:
        """Continue with some of the slots.

        Args:
            slots: (n,) int64, indices of the slots that remain, in their new order.
        """
        compacted = {}
        for name, values in self._on_device.items():
            compacted[name] = self._upload(values.numpy()[slots])
        self._on_device = compacted
        self._keep_noise(slots)

    def _upload(self, array: NDArray[Any]) -> Any:
        import onnxruntime as ort

        return ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), self._device)
