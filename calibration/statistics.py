"""What is kept of a layer's inputs: channel maxima, how channels go together, and a few rows."""

from __future__ import annotations

import torch
from torch import Tensor

from trm_edge.calibration.ranges import check_finite

_GRAM_ROWS = 256  # of every call, at random
_SAMPLE_ROWS = 16


class InputStatistics:
    """Observes every input (..., K) of one layer in constant memory, but for a small sample.

    Args:
        generator: chooses the rows; shared by the layers of a run.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator
        self._gram: Tensor | None = None
        self._gram_rows = 0
        self._sample: list[Tensor] = []
        self.amax = torch.zeros(0)  # (K,)

    def __call__(self, h: Tensor) -> None:
        check_finite(h)
        rows = h.reshape(-1, h.shape[-1])
        amax = rows.abs().amax(0)
        self.amax = torch.maximum(self.amax, amax) if len(self.amax) else amax
        chosen = rows[torch.randint(len(rows), (_GRAM_ROWS,), generator=self._generator)]
        gram = (chosen.T @ chosen).double()
        self._gram = gram if self._gram is None else self._gram + gram
        self._gram_rows += _GRAM_ROWS
        self._sample.append(chosen[:_SAMPLE_ROWS].clone())

    @property
    def gram(self) -> Tensor:
        """Mean outer product of the inputs, (K, K) float64."""
        if self._gram is None:
            raise ValueError("nothing was observed")
        return self._gram / self._gram_rows

    @property
    def sample(self) -> Tensor:
        """Rows from every depth, (n, K)."""
        return torch.cat(self._sample)
