"""The corner of a square canvas that holds all grids, to train on fewer tokens than the canvas has.

Rotary positions stay those of the whole canvas, so the weights serve both.
"""

from __future__ import annotations

import dataclasses
import math

import torch

from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError
from trm_edge.export.model import RecursiveModel
from trm_edge.export.network import rope_tables


def windowed(config: ModelConfig, window: int | None) -> ModelConfig:
    """Return the configuration of a model that sees the corner of the canvas alone.

    Args:
        config: the model's own configuration.
        window: side of the corner; None: the whole canvas.

    Raises:
        ConfigError: the model's tokens are no square, the window does not lie on it, or its
            positions are bound to the length of the canvas.
    """
    if window is None:
        return config
    side = math.isqrt(config.seq_len)
    if side * side != config.seq_len or not 0 < window <= side:
        raise ConfigError(
            f"a window of {window} x {window} does not lie on a canvas of {config.seq_len} tokens."
        )
    if config.mlp_t or config.pos_encodings == "learned":
        raise ConfigError(
            "a window needs attention with rotary positions; this model has "
            f"mlp_t={config.mlp_t} and pos_encodings={config.pos_encodings!r}."
        )
    return dataclasses.replace(config, seq_len=window * window)


def window_indices(config: ModelConfig, window: int) -> torch.Tensor:
    """Return the tokens (window * window,) int64 of the canvas that lie in its corner.

    Args:
        config: the model's own configuration.
        window: side of the corner.
    """
    side = math.isqrt(config.seq_len)
    cells = torch.arange(config.seq_len).view(side, side)
    return cells[:window, :window].reshape(-1)


def window_model(config: ModelConfig, window: int | None) -> RecursiveModel:
    """Make a model that sees the corner of the canvas alone; its weights are those of the whole.

    Args:
        config: the model's own configuration.
        window: side of the corner; None: the whole canvas.

    Raises:
        ConfigError: as :func:`windowed` does.
    """
    model = RecursiveModel(windowed(config, window))
    if window is not None and model.rope is not None:
        prefix = torch.arange(config.prefix_len)
        positions = torch.cat((prefix, config.prefix_len + window_indices(config, window)))
        cos, sin = rope_tables(config)
        model.rope = (cos[positions], sin[positions])
    return model
