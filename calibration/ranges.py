"""Ranges of activations by ModelOpt's calibrators, behind one small interface."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from trm_edge.calibration.recipe import CalibrationRecipe, Precision8
from trm_edge.errors import CalibrationError, MissingExtraError

_BITS: dict[Precision8, Any] = {"int8": 8, "fp8": (4, 3)}


class RangeObserver:
    """Takes every input of one layer and ends with one amax for all of them.

    Args:
        recipe: the method.
        precision: what the range is for; error-minimising methods depend on it.

    Raises:
        MissingExtraError: nvidia-modelopt is not installed.
        CalibrationError: the method is not to be had for this precision.
    """

    def __init__(self, recipe: CalibrationRecipe, precision: Precision8) -> None:
        max_calibrator, histogram_calibrator = _calibrators()
        if recipe.method == "entropy" and precision == "fp8":
            raise CalibrationError(
                "the entropy method counts integer levels and has no meaning for fp8; take max or "
                "percentile."
            )
        self.recipe = recipe
        if recipe.method == "max":
            self._calibrator = max_calibrator(_BITS[precision])
        else:
            # NumPy's histogram counts in integers; torch's counts in float32 and loses track
            # above 16 million values a bin.
            self._calibrator = histogram_calibrator(_BITS[precision], torch_hist=False)

    def __call__(self, h: Tensor) -> None:
        check_finite(h)
        self._calibrator.collect(h)

    def amax(self) -> float:
        """The range chosen, as the largest magnitude that is kept."""
        if self.recipe.method == "max":
            return float(self._calibrator.compute_amax())
        options = (
            {"percentile": self.recipe.percentile} if self.recipe.method == "percentile" else {}
        )
        return float(self._calibrator.compute_amax(self.recipe.method, **options))


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


def _calibrators() -> tuple[Any, Any]:
    """ModelOpt's calibrators; importing them takes seconds and warns about other libraries."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from modelopt.torch.quantization.calib import HistogramCalibrator, MaxCalibrator
    except ImportError as error:
        missing = error.name or "nvidia-modelopt"
        package = "nvidia-modelopt" if missing.startswith("modelopt") else missing
        raise MissingExtraError(package, "export", "Calibration") from error
    return MaxCalibrator, HistogramCalibrator
