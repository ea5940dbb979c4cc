"""Shapes of a step's tensors for a number of slots."""

from __future__ import annotations

from trm_edge.step import TensorSpec


def batch_shape(spec: TensorSpec, slots: int) -> tuple[int, ...]:
    """Replace the dynamic axis of a tensor.

    Args:
        spec: the tensor; an axis of None is the batch.
        slots: length of the batch; -1 for TensorRT's dynamic axis.

    >>> batch_shape(TensorSpec("tokens", (None, 81), "int32"), 8)
    (8, 81)
    """
    return tuple(slots if axis is None else axis for axis in spec.shape)
