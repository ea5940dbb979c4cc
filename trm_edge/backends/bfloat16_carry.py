"""The float32 step graph with carries that hold no more than bfloat16 can."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import HaltingLogits
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend

_HALF = np.uint32(0x7FFF)  # just under half of the last bit that bfloat16 keeps
_KEPT = np.uint32(0xFFFF0000)


class Bfloat16CarryBackend(OnnxRuntimeBackend):
    """Rounds all carries to bfloat16 after every step; everything else stays in float32.

    It shows what float arithmetic alone does to a model's answers: nothing of the network is
    quantized, and bfloat16 is the type that TRMs are trained in.
    """

    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        """Advance all slots by one ACT step, then round their carries.

        Args:
            tokens: (B, L) int32.
            puzzle_embedding: (B, E) float32; None where the model has no table.
            reset: (B,) bool; True where a slot starts from the initial state.

        Raises:
            BackendError: the backend is not active, or ONNX Runtime failed.
        """
        halting_logits = super().step(tokens, puzzle_embedding, reset)
        self._carries = tuple(rounded_to_bfloat16(state) for state in self._carries)
        return halting_logits


def rounded_to_bfloat16(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round to the nearest bfloat16, ties to even.

    Args:
        values: float32 of any shape, finite.

    Returns:
        float32 of the same shape, whose lower 16 bits are zero.

    >>> rounded_to_bfloat16(np.array([1.0, 1.0039, 3.1415927], np.float32)).tolist()
    [1.0, 1.0, 3.140625]
    """
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    last_kept_bit = (bits >> np.uint32(16)) & np.uint32(1)
    rounded: NDArray[np.uint32] = (bits + _HALF + last_kept_bit) & _KEPT
    return rounded.view(np.float32).reshape(values.shape)
