"""Golden cases of single functions, recorded from the published code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNITS = dict(np.load(Path(__file__).parents[1] / "data" / "arc" / "units.npz"))


def grids(name: str) -> list[NDArray[Any]]:
    """Grids that are stored one after another: ``grids``, ``images``, ``enc_inputs``, ..."""
    shapes = UNITS[f"{name.removesuffix('s')}_shapes"]
    ends = np.cumsum(shapes.prod(axis=1))[:-1]
    parts = np.split(UNITS[name], ends)
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
