"""Statistics of a layer's inputs: channel ranges, channel correlation and a sample of tokens."""

from __future__ import annotations

import torch
from torch import Tensor

from trm_edge.calibration.ranges import check_finite

_GRAM_TOKENS = 256  # drawn at random from each call
_SAMPLE_TOKENS = 16  # of each call
_SAMPLE_LIMIT = 4096  # tokens in all; later ones replace earlier ones at random


class InputStatistics:
    """Observe every input (..., K) of one layer in constant memory.

    Args:
        generator: draws the tokens; shared by all layers of a run.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator
        self._gram: Tensor | None = None
        self._gram_tokens = 0
        self._sample: list[Tensor] = []
        self._tokens_offered = 0
        self.low = torch.zeros(0)  # (K,) smallest value of each channel
        self.high = torch.zeros(0)  # (K,) largest value of each channel

    def __call__(self, inputs: Tensor, site: int) -> None:
        """Observe one input.

        Args:
            inputs: (..., K) float32.
            site: pass of the network in the step, from 0; unused.

        Raises:
            CalibrationError: a value is NaN or infinite.
        """
        check_finite(inputs)
        tokens = inputs.reshape(-1, inputs.shape[-1])
        self._widen(tokens)
        indices = torch.randint(len(tokens), (_GRAM_TOKENS,), generator=self._generator)
        drawn = tokens[indices]
        gram = (drawn.T @ drawn).double()
        if self._gram is not None:
            gram = self._gram + gram
        self._gram = gram
        self._gram_tokens += _GRAM_TOKENS
        for token in drawn[:_SAMPLE_TOKENS].clone():
            self._offer(token)

    def _widen(self, tokens: Tensor) -> None:
        low, high = tokens.aminmax(dim=0)
        if len(self.low):
            low = torch.minimum(low, self.low)
            high = torch.maximum(high, self.high)
        self.low = low
        self.high = high

    def _offer(self, token: Tensor) -> None:
        """Reservoir sampling."""
        self._tokens_offered += 1
        if len(self._sample) < _SAMPLE_LIMIT:
            self._sample.append(token)
            return
        index = int(torch.randint(self._tokens_offered, (1,), generator=self._generator))
        if index < _SAMPLE_LIMIT:
            self._sample[index] = token

    @property
    def amax(self) -> Tensor:
        """Largest magnitude of each channel, (K,)."""
        return torch.maximum(self.high, -self.low)

    @property
    def constant(self) -> bool:
        """True if no channel ever changed."""
        return bool((self.low == self.high).all())

    @property
    def gram(self) -> Tensor:
        """Mean outer product of the inputs, (K, K) float64."""
        if self._gram is None:
            raise ValueError("no input was observed")
        return self._gram / self._gram_tokens

    @property
    def sample(self) -> Tensor:
        """Tokens from every step and pass, (n, K)."""
        return torch.stack(self._sample)
