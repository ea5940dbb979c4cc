"""``sensitivity.json`` of a bundle: what quantizing each layer alone does."""

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
        lost: puzzles that only float32 solves, in the halting mode where they are more.
        gained: puzzles that only the quantized model solves.
    """

    layer: str
    first_step: float
    last_step: float
    halting: float
    lost: int
    gained: int


@dataclass(frozen=True)
class LayerRanking:
    """Layers by what they cost, the costliest first.

    Args:
        puzzles: number of puzzles that this was measured on.
        layers: one entry a layer.
    """

    puzzles: int
    layers: tuple[LayerSensitivity, ...]


def upgraded(raw: Any) -> Any:
    """The parsed file as this version writes it; the first releases wrote a list.

    Args:
        raw: the parsed JSON.
    """
    if not isinstance(raw, list):
        return raw
    entries = [entry for entry in raw if isinstance(entry, dict)]
    puzzles = entries[0].get("puzzles", 0) if entries else 0
    layers = [{key: entry[key] for key in entry if key != "puzzles"} for entry in entries]
    return {"format": str(FORMAT), "puzzles": puzzles, "layers": layers}
