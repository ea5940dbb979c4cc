"""An engine that computes nothing, to measure what everything else costs."""

from __future__ import annotations

from dataclasses import replace

from trm_edge.backends.fake import FakeBackend
from trm_edge.config import ModelConfig


class NullBackend(FakeBackend):
    """An engine that computes nothing: every puzzle is its own answer, after one step.

    Args:
        config: shapes of the model that it stands for.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(replace(config, halt_max_steps=1))
