"""Parsed values turned into dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from trm_edge.errors import ConfigError
from trm_edge.typed_values import build, require_64_bits


@dataclass(frozen=True)
class Part:
    name: str
    share: float = 0.0


def test_mappings_are_built_by_key_and_type() -> None:
    assert build(Part, {"name": "a", "share": 1}) == Part("a", 1.0)
    with pytest.raises(ConfigError, match="unknown size; the keys are name, share"):
        build(Part, {"name": "a", "size": 1})


@pytest.mark.parametrize("value", [1 << 64, -(1 << 63) - 1, [10**4000], {"a": [{"b": -(10**30)}]}])
def test_whole_numbers_beyond_64_bits_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="a whole number of more than 64 bits"):
        require_64_bits(value)


@pytest.mark.parametrize("value", [(1 << 64) - 1, -(1 << 63), True, 1e300, "9" * 5000, None])
def test_other_values_pass(value: Any) -> None:
    require_64_bits({"a": [value]})
