"""Sign descent of puzzle-embedding rows, the published optimizer of large tables.

Only the rows of a batch are read and written, so a table of a million rows costs no more than one
of a hundred (upstream ``models/sparse_embedding.py``).
"""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def sign_descent(
    table: Tensor, identifiers: Tensor, gradient: Tensor, lr: float, weight_decay: float
) -> None:
    """Move the rows of a batch by the signs of their gradients.

    Slots with the same row add up their gradients; the row decays once.

    Args:
        table: (N, E) float32, changed in place.
        identifiers: (B,) integer row of each slot.
        gradient: (B, E) float32 gradient of each slot's row.
        lr: learning rate, by which each entry moves.
        weight_decay: weight decay, relative to ``lr``.
    """
    rows, slots = torch.unique(identifiers, return_inverse=True)
    total = torch.zeros(len(rows), table.shape[1], device=table.device)
    total.index_add_(0, slots, gradient.float())
    table[rows] = table[rows] * (1 - lr * weight_decay) - lr * total.sign()
