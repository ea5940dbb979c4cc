"""What is kept of a layer's inputs: channel maxima, how channels go together, and a few rows."""

from __future__ import annotations

import torch
from torch import Tensor

from trm_edge.calibration.ranges import check_finite

_GRAM_ROWS = 256  # of every call, at random
_SAMPLE_ROWS = 16
_SAMPLE_LIMIT = 4096  # rows in all; later ones take the place of earlier ones at random


class InputStatistics:
    """Observes every input (..., K) of one layer in constant memory.

    Args:
        generator: chooses the rows; shared by the layers of a run.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator
        self._gram: Tensor | None = None
        self._gram_rows = 0
        self._rows: list[Tensor] = []
        self._rows_seen = 0
        self.low = torch.zeros(0)  # (K,) smallest value of each channel
        self.high = torch.zeros(0)  # (K,)

    def __call__(self, h: Tensor, site: int) -> None:
        check_finite(h)
        rows = h.reshape(-1, h.shape[-1])
        low, high = rows.aminmax(dim=0)
        seen = len(self.low) > 0
        self.low = torch.minimum(low, self.low) if seen else low
        self.high = torch.maximum(high, self.high) if seen else high
        chosen = rows[torch.randint(len(rows), (_GRAM_ROWS,), generator=self._generator)]
        gram = (chosen.T @ chosen).double()
        self._gram = gram if self._gram is None else self._gram + gram
        self._gram_rows += _GRAM_ROWS
        for row in chosen[:_SAMPLE_ROWS].clone():
            self._keep(row)

    def _keep(self, row: Tensor) -> None:
        self._rows_seen += 1
        if len(self._rows) < _SAMPLE_LIMIT:
            self._rows.append(row)
            return
        place = int(torch.randint(self._rows_seen, (1,), generator=self._generator))
        if place < _SAMPLE_LIMIT:
            self._rows[place] = row

    @property
    def amax(self) -> Tensor:
        """Largest magnitude of each channel, (K,)."""
        return torch.maximum(self.high, -self.low)

    @property
    def constant(self) -> bool:
        """Whether no channel ever changed."""
        return bool((self.low == self.high).all())

    @property
    def gram(self) -> Tensor:
        """Mean outer product of the inputs, (K, K) float64."""
        if self._gram is None:
            raise ValueError("nothing was observed")
        return self._gram / self._gram_rows

    @property
    def sample(self) -> Tensor:
        """Rows from every depth, (n, K)."""
        return torch.stack(self._rows)
