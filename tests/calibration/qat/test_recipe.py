from __future__ import annotations

import pytest

from trm_edge.calibration.qat.recipe import FinetuneRecipe
from trm_edge.errors import (
    ConfigError,
)


def test_the_rate_rises_and_falls_to_zero() -> None:
    recipe = FinetuneRecipe(steps=10, lr=1.0, warmup=3)
    rates = [recipe.rate(step) for step in range(10)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert 0 < rates[-1] < 0.2
    assert FinetuneRecipe(steps=1).rate(0) > 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 0}, "steps must be 1 or more, but got 0"),
        ({"batch": 0}, "batch must be 1 or more, but got 0"),
        ({"lr": 0.0}, r"lr must be positive, but got 0\.0"),
        ({"lr": float("nan")}, "lr must be positive, but got nan"),
        ({"clip": float("inf")}, "clip must be positive, but got inf"),
        ({"warmup": -1}, "warmup must be 0 or more, but got -1"),
        ({"exploration": 1.5}, r"exploration must lie in 0\.\.1, but got 1\.5"),
    ],
)
def test_values_out_of_range_are_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FinetuneRecipe(**{"steps": 1, **values})  # type: ignore[arg-type]
