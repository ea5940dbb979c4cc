"""Ranges of activations by ModelOpt's calibrators, behind one small interface."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from trm_edge.calibration.grid import LARGEST, round_to_grid
from trm_edge.calibration.recipe import CalibrationRecipe, QType
from trm_edge.errors import CalibrationError, MissingExtraError

_BITS: dict[QType, Any] = {"int8": 8, "fp8": (4, 3)}


class RangeObserver:
    """Takes every input of one layer and ends with its range, or with one for each call site.

    Args:
        recipe: the method, and whether call sites are kept apart.
        kind: what the range is for; error-minimising methods depend on it.
        widest: largest magnitude that the layer's input has.

    Raises:
        MissingExtraError: nvidia-modelopt is not installed.
        CalibrationError: the method is not to be had for this type.
    """

    def __init__(self, recipe: CalibrationRecipe, qtype: QType, widest: float) -> None:
        if recipe.method == "entropy" and qtype == "fp8":
            raise CalibrationError(
                "the entropy method counts integer levels and has no meaning for fp8; take max, "
                "mse or percentile."
            )
        self.recipe = recipe
        self._new = _calibrator(recipe, qtype, widest)
        self._calibrators: dict[int, Any] = {}

    def __call__(self, h: Tensor, site: int) -> None:
        check_finite(h)
        key = site if self.recipe.activations == "per_call_site" else 0
        if key not in self._calibrators:
            self._calibrators[key] = self._new()
        self._calibrators[key].collect(h)

    def amax(self) -> tuple[float, ...]:
        """Largest magnitude that is kept: one for the layer, or one for each call site."""
        return tuple(self._range(self._calibrators[key]) for key in sorted(self._calibrators))

    def _range(self, calibrator: Any) -> float:
        if self.recipe.method in ("max", "mse"):
            return float(calibrator.compute_amax())
        options = (
            {"percentile": self.recipe.percentile} if self.recipe.method == "percentile" else {}
        )
        return float(calibrator.compute_amax(self.recipe.method, **options))


def check_finite(h: Tensor) -> None:
    """Refuse what no range can be taken of.

    Raises:
        CalibrationError: an activation is NaN or infinite.
    """
    if not torch.isfinite(h).all():
        raise CalibrationError(
            "an activation became NaN or infinite while calibrating: the checkpoint diverges on "
            "these puzzles. Check the checkpoint in float32 first (--fp32)."
        )


def _calibrator(recipe: CalibrationRecipe, qtype: QType, widest: float) -> Callable[[], Any]:
    """Makes ModelOpt's calibrator for a method; importing it takes seconds."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about other libraries
            from modelopt.torch.quantization.calib import (
                HistogramCalibrator,
                MaxCalibrator,
                MseCalibrator,
            )
    except ImportError as error:
        missing = error.name or "nvidia-modelopt"
        package = "nvidia-modelopt" if missing.startswith("modelopt") else missing
        raise MissingExtraError(package, "export", "Calibration") from error
    if recipe.method == "max":
        return lambda: MaxCalibrator(_BITS[qtype])
    if recipe.method == "mse":
        # The histogram calibrator has a method of that name too; in ModelOpt 0.47 it hands the
        # number of bits to the wrong parameter and always returns the narrowest range it tries.
        def rounded(h: Tensor, amax: Tensor) -> Tensor:
            return round_to_grid(h, amax / LARGEST[qtype], qtype)

        return lambda: MseCalibrator(
            torch.tensor(widest),
            step_size=0.05,
            start_multiplier=0.05,
            stop_multiplier=1.0,
            quant_func=rounded,
        )
    # NumPy's histogram counts in integers; torch's counts in float32 and loses track above 16
    # million values a bin.
    return lambda: HistogramCalibrator(_BITS[qtype], torch_hist=False)
