"""``sensitivity.json`` of a bundle: the effect of quantizing each layer alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trm_edge.errors import BundleError
from trm_edge.records import Format, RecordKind

FORMAT = Format("trm-edge.sensitivity", 1)
KIND = RecordKind(
    FORMAT, "a ranking of layers", BundleError, "Export the bundle again with --sensitivity."
)


@dataclass(frozen=True)
class LayerSensitivity:
    """Effect of quantizing one layer alone.

    Args:
        layer: name of the layer.
        first_step: mean 1 - cosine of the carries after the first step.
        last_step: the same after the last step.
        halting: mean absolute difference of q_halt over all steps, a logit.
        lost: number of puzzles only float32 solves, in the halting mode where they are more.
        gained: number of puzzles only the quantized model solves.
    """

    layer: str
    first_step: float
    last_step: float
    halting: float
    lost: int
    gained: int


@dataclass(frozen=True)
class LayerRanking:
    """Layers by the accuracy they cost, the costliest first.

    Args:
        puzzles: number of puzzles measured on.
        layers: one entry per layer.
    """

    puzzles: int
    layers: tuple[LayerSensitivity, ...]


def upgraded(raw: Any) -> Any:
    """Convert a parsed file to what this version writes; the first versions wrote a list.

    Args:
        raw: the parsed JSON.

    Returns:
        The content with its format line; ``raw`` itself where it is not a list.
    """
    if not isinstance(raw, list):
        return raw
    entries = [entry for entry in raw if isinstance(entry, dict)]
    puzzles = entries[0].get("puzzles", 0) if entries else 0
    layers = []
    for entry in entries:
        layer = dict(entry)
        layer.pop("puzzles", None)
        layers.append(layer)
    return {"format": str(FORMAT), "puzzles": puzzles, "layers": layers}
