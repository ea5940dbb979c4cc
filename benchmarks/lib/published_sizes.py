"""The published model configurations, and models of these sizes with random weights."""

from __future__ import annotations

from dataclasses import replace

import torch

from trm_edge.config import ModelConfig
from trm_edge.export.model import RecursiveModel

SUDOKU_MLP = ModelConfig(
    hidden_size=512,
    num_heads=8,
    expansion=4.0,
    L_layers=2,
    H_cycles=3,
    L_cycles=6,
    halt_max_steps=16,
    no_ACT_continue=True,
    mlp_t=True,
    pos_encodings="none",
    puzzle_emb_ndim=512,
    puzzle_emb_len=16,
    seq_len=81,
    vocab_size=11,
    num_puzzle_identifiers=1,
    rms_norm_eps=1e-5,
    rope_theta=10000.0,
)
ATTENTION = replace(SUDOKU_MLP, mlp_t=False, pos_encodings="rope")
SIZES = {
    "Sudoku MLP": SUDOKU_MLP,
    "Sudoku attention": ATTENTION,
    "Maze and ARC attention": replace(ATTENTION, L_cycles=4, seq_len=900, vocab_size=12),
}


def random_model(name: str) -> RecursiveModel:
    """Make a model of a published size with random weights from a fixed seed.

    Args:
        name: one of ``SIZES``.
    """
    torch.manual_seed(0)
    model = RecursiveModel(SIZES[name]).requires_grad_(False).eval()
    for parameter in model.parameters():
        parameter.copy_(torch.randn(parameter.shape) * 0.02)
    return model
