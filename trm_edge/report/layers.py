"""What quantizing each layer alone does, as ``trm-edge export`` left it in a bundle."""

from __future__ import annotations

from dataclasses import dataclass

from trm_edge.bundle import SENSITIVITY, Bundle
from trm_edge.errors import BundleError


@dataclass(frozen=True)
class LayerShift:
    """One layer; as ``trm_edge.calibration.sensitivity.LayerSensitivity``, which needs onnx."""

    layer: str
    first_step: float  # mean 1 - cosine of the carries after the first step
    last_step: float  # the same after the last
    halting: float  # mean |difference of q_halt| over all steps
    lost: int  # puzzles that only float32 solves
    gained: int
    puzzles: int  # that this was measured on


def layer_shifts(bundle: Bundle) -> list[LayerShift]:
    """Those that cost most first; none where the bundle was exported without ranking them.

    Raises:
        BundleError: the file is not what an export writes.
    """
    try:
        return [
            LayerShift(
                layer=str(one["layer"]),
                first_step=float(one["first_step"]),
                last_step=float(one["last_step"]),
                halting=float(one["halting"]),
                lost=int(one["lost"]),
                gained=int(one["gained"]),
                puzzles=int(one["puzzles"]),
            )
            for one in bundle.sensitivity() or []
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"{bundle.path / SENSITIVITY} is no ranking of layers ({error!r}). Export the bundle "
            "again with --sensitivity."
        ) from error
