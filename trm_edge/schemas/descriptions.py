"""Descriptions for JSON Schemas, from the ``Args:`` sections of the dataclasses' docstrings."""

from __future__ import annotations

import inspect
import re
from dataclasses import is_dataclass
from typing import Any

_SECTION = re.compile(r"^(Args|Returns|Raises|Attributes):$")
_ARGUMENT = re.compile(r"^    (\w+): (.+)$")
_MARKUP = re.compile(r":\w+:`~?([^`]+)`|``([^`]+)``")


def describe_properties(schema: dict[str, Any]) -> None:
    """Move what a docstring says of each field to the field's property, in place.

    The description of an object keeps the summary and the paragraphs before the first section.

    Args:
        schema: a JSON Schema whose objects have whole docstrings as their description.
    """
    for part in (schema, *schema.get("$defs", {}).values()):
        if "description" not in part:
            continue
        summary, arguments = split_docstring(part["description"])
        part["description"] = summary
        _describe(part.get("properties", {}), arguments)


def describe_inherited(schema: dict[str, Any], dataclass: type) -> None:
    """Describe the properties that a record has from the classes above its own, in place.

    Args:
        schema: of the record; its own fields are described already.
        dataclass: of the record.
    """
    for base in dataclass.__mro__[1:]:
        if is_dataclass(base):
            _describe(schema["properties"], split_docstring(base.__doc__ or "")[1])


def split_docstring(docstring: str) -> tuple[str, dict[str, str]]:
    """Split a docstring into its text before the first section and its arguments.

    Args:
        docstring: a docstring with ``Args:``, indented or not.

    Returns:
        The text on one line, and the descriptions by argument, without markup.

    >>> split_docstring("A file.\\n\\nArgs:\\n    size: in bytes, at\\n        most 10.")
    ('A file.', {'size': 'in bytes, at most 10.'})
    """
    summary: list[str] = []
    arguments: dict[str, list[str]] = {}
    section = ""
    current: list[str] = []
    for line in inspect.cleandoc(docstring).splitlines():
        heading = _SECTION.match(line)
        if heading is not None:
            section = heading[1]
            continue
        if not section:
            summary.append(line)
        elif section == "Args":
            argument = _ARGUMENT.match(line)
            if argument is not None:
                current = arguments.setdefault(argument[1], [])
                current.append(argument[2])
            else:
                current.append(line)
    return _plain(summary), {name: _plain(lines) for name, lines in arguments.items()}


def _describe(properties: dict[str, Any], arguments: dict[str, str]) -> None:
    """Describe the properties that have no description yet."""
    for name, description in arguments.items():
        if name in properties and "description" not in properties[name]:
            properties[name] = {"description": description, **properties[name]}


def _plain(lines: list[str]) -> str:
    text = " ".join(" ".join(lines).split())
    return _MARKUP.sub(lambda match: match[1] or match[2], text)
