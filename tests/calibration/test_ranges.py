from __future__ import annotations

import pytest
import torch

from trm_edge.calibration.ranges import RangeObserver
from trm_edge.calibration.recipe import CalibrationRecipe, RangeMethod
from trm_edge.errors import CalibrationError


@pytest.mark.parametrize("method", ["max", "percentile", "entropy", "mse"])
def test_every_method_gives_a_range_within_the_largest(method: RangeMethod) -> None:
    generator = torch.Generator().manual_seed(0)
    observer = RangeObserver(CalibrationRecipe(method=method), "int8", 6.0)
    largest = 0.0
    for _ in range(4):
        values = torch.randn(64, 256, generator=generator)
        observer(values, 0)
        largest = max(largest, float(values.abs().max()))
    (amax,) = observer.amax()
    if method == "max":
        assert amax == pytest.approx(largest)
    else:
        assert 0.3 * largest < amax < 1.01 * largest


def test_an_activation_that_is_not_finite_is_refused() -> None:
    observer = RangeObserver(CalibrationRecipe(), "int8", 1.0)
    with pytest.raises(CalibrationError, match="became NaN or infinite"):
        observer(torch.tensor([1.0, float("inf")]), 0)


def test_entropy_is_refused_for_fp8() -> None:
    with pytest.raises(CalibrationError, match="entropy method counts integer levels"):
        RangeObserver(CalibrationRecipe(method="entropy"), "fp8", 1.0)
