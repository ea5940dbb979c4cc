"""JSON Schemas of records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from trm_edge import record_schema
from trm_edge.records import Format

FORMAT = Format("trm-edge.test", 2)


@dataclass(frozen=True)
class Part:
    name: str
    share: float = 0.0


@dataclass(frozen=True)
class Record:
    count: int
    by_name: Mapping[str, Part] = field(default_factory=dict)


@dataclass(frozen=True)
class Arrays:
    values: np.ndarray


def test_a_schema_allows_no_other_key() -> None:
    schema = record_schema.schema(Record, FORMAT)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["properties"]["format"] == {"const": "trm-edge.test/2"}
    assert schema["required"] == ["format", "count"]
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Part"]["additionalProperties"] is False
    assert record_schema.schema(Arrays, FORMAT)["properties"]["values"] == {"type": "array"}


def test_a_type_without_a_schema_is_refused() -> None:
    @dataclass
    class Odd:
        value: complex

    with pytest.raises(TypeError, match="complex has no JSON Schema"):
        record_schema.schema(Odd, FORMAT)
