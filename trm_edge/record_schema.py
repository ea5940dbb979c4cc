"""The JSON Schema of a record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from trm_edge.records import Format


def schema(record: Any, record_format: Format) -> dict[str, Any]:
    """Make the JSON Schema (2020-12) of a record as :func:`encode` writes it.

    Args:
        record: the dataclass.
        record_format: its format line.

    Raises:
        TypeError: a field's type has no JSON Schema.
    """
    (definition,), components = msgspec.json.schema_components(
        [record], schema_hook=_schema_of, ref_template="#/$defs/{name}"
    )
    name = definition["$ref"].rpartition("/")[2]
    top = components.pop(name)
    top["properties"] = {"format": {"const": str(record_format)}, **top["properties"]}
    top["required"] = ["format", *top.get("required", [])]
    for definition in (top, *components.values()):
        if definition.get("type") == "object" and "properties" in definition:
            definition["additionalProperties"] = False
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **top,
        "$defs": components,
    }


def file_schema(file_type: Any, description: str) -> dict[str, Any]:
    """Make the JSON Schema (2020-12) of a file without a format line.

    Args:
        file_type: of its content, a type that msgspec knows.
        description: what the file holds.

    Raises:
        TypeError: a part of the type has no JSON Schema.
    """
    (top,), components = msgspec.json.schema_components([file_type], ref_template="#/$defs/{name}")
    for definition in components.values():
        if definition.get("type") == "object" and "properties" in definition:
            definition["additionalProperties"] = False
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "description": description,
        **top,
        "$defs": components,
    }


def _schema_of(value_type: type) -> dict[str, Any]:
    if value_type is Path:
        return {"type": "string"}
    if issubclass(value_type, np.ndarray):
        return {"type": "array"}
    raise TypeError(f"{value_type.__name__} has no JSON Schema")
