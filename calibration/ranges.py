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
    """Observe every input of one layer and choose its range, or one for each call site.

    Args:
        recipe: the method, and whether each call site has its own range.
        qtype: the quantized type; methods that minimise an error depend on it.
        largest: largest magnitude of the layer's input.

    Raises:
        MissingExtraError: nvidia-modelopt is not installed.
        CalibrationError: the type does not support the method.
    """

    def __init__(self, recipe: CalibrationRecipe, qtype: QType, largest: float) -> None:
        if recipe.method == "entropy" and qtype == "fp8":
            raise CalibrationError(
                "the entropy method counts integer levels and has no meaning for fp8. Choose max, "
                "mse or percentile."
            )
        self.recipe = recipe
        self._new_calibrator = _calibrator_factory(recipe, qtype, largest)
        self._calibrators: dict[int, Any] = {}  # by call site; 0 for the whole layer

    def __call__(self, inputs: Tensor, site: int) -> None:
        """Observe one input.

        Args:
            inputs: (..., K) float32.
            site: pass of the network in the step, from 0.

        Raises:
            CalibrationError: a value is NaN or infinite.
        """
        check_finite(inputs)
        key = 0
        if self.recipe.activations == "per_call_site":
            key = site
        if key not in self._calibrators:
            self._calibrators[key] = self._new_calibrator()
        self._calibrators[key].collect(inputs)

    def amax(self) -> tuple[float, ...]:
        """Largest magnitude to represent: one for the layer, or one for each call site."""
        return tuple(self._range(self._calibrators[key]) for key in sorted(self._calibrators))

    def _range(self, calibrator: Any) -> float:
        method = self.recipe.method
        if method in ("max", "mse"):
            return float(calibrator.compute_amax())
        if method == "percentile":
            return float(calibrator.compute_amax(method, percentile=self.recipe.percentile))
        return float(calibrator.compute_amax(method))


def check_finite(activations: Tensor) -> None:
    """Check that a range can be taken of activations.

    Args:
        activations: of any shape.

    Raises:
        CalibrationError: a value is NaN or infinite.
    """
    if not torch.isfinite(activations).all():
        raise CalibrationError(
            "an activation became NaN or infinite while calibrating: the checkpoint diverges on "
            "these puzzles. Check the checkpoint in float32 first (--fp32)."
        )


def _calibrator_factory(
    recipe: CalibrationRecipe, qtype: QType, largest: float
) -> Callable[[], Any]:
    """Make a function that makes ModelOpt calibrators; importing ModelOpt takes seconds."""
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
        # The histogram calibrator has a method of that name too; in ModelOpt 0.47 it passes the
        # number of bits as the wrong parameter and always returns the narrowest range it tries.
        def round_to_range(values: Tensor, amax: Tensor) -> Tensor:
            return round_to_grid(values, amax / LARGEST[qtype], qtype)

        return lambda: MseCalibrator(
            torch.tensor(largest),
            step_size=0.05,
            start_multiplier=0.05,
            stop_multiplier=1.0,
            quant_func=round_to_range,
        )
    # NumPy's histogram counts in integers; torch's counts in float32 and loses counts above 16
    # million values in a bin.
    return lambda: HistogramCalibrator(_BITS[qtype], torch_hist=False)
