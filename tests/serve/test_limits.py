"""Limits of a server that make sense."""

from __future__ import annotations

from math import inf, nan

import pytest

from trm_edge.errors import ConfigError
from trm_edge.serve.limits import Limits


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("queue", 0),
        ("puzzles", 0),
        ("body_bytes", -1),
        ("rollouts", 0),
        ("seconds", 0.0),
        ("seconds", inf),
        ("grace_seconds", nan),
    ],
)
def test_limits_are_positive(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"the limit {name} must be"):
        Limits(**{name: value})  # type: ignore[arg-type]


def test_the_largest_request_has_room() -> None:
    Limits(queue=8, puzzles=8)
    with pytest.raises(ConfigError, match="9 puzzles, but only 8 can wait"):
        Limits(queue=8, puzzles=9)
