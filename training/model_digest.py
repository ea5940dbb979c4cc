"""What tells the weights of one model from those of another."""

from __future__ import annotations

import hashlib
import json

from trm_edge.export.model import RecursiveModel


def model_digest(model: RecursiveModel) -> str:
    """Hash a model's configuration and weights.

    Args:
        model: the model; the puzzle-embedding table is no part of it.

    Returns:
        sha256 in hexadecimal.
    """
    digest = hashlib.sha256()
    digest.update(json.dumps(model.config.to_dict()).encode())
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        digest.update(value.float().contiguous().numpy().tobytes())
    return digest.hexdigest()
