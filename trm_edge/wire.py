"""Protocol Buffers on the wire, as far as an ONNX file needs: fields one by one, nothing copied.

A device has ONNX Runtime but not the ``onnx`` package, and a graph has to be looked at before
ONNX Runtime allocates what it asks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

VARINT = 0
FIXED64 = 1
BYTES = 2
FIXED32 = 5

MAX_FIELDS = 1_000_000  # of a file: time follows from it
_MAX_VARINT_BYTES = 10


class WireError(Exception):
    """The bytes are not a message, or hold what is not expected; the message says what."""


class Reader:
    """Reads messages and counts their fields, so that time is bounded.

    Args:
        limit: number of fields that are read in total.
    """

    def __init__(self, limit: int = MAX_FIELDS) -> None:
        self._left = limit

    def fields(self, message: memoryview) -> Iterator[tuple[int, int, Any]]:
        """Walk over the fields of a message.

        Args:
            message: its bytes.

        Yields:
            Number, wire type and value: an int for a varint, else a view of the bytes.

        Raises:
            WireError: the bytes are not a message, or the file has too many fields.
        """
        position = 0
        while position < len(message):
            self._left -= 1
            if self._left < 0:
                raise WireError("it has too many fields")
            key, position = _varint(message, position)
            number = key >> 3
            wire = key & 7
            value: Any
            if wire == VARINT:
                value, position = _varint(message, position)
            else:
                size, position = _size(message, position, wire)
                if position + size > len(message):
                    raise WireError("it is cut off")
                value = message[position : position + size]
                position += size
            yield number, wire, value

    def message(self, content: memoryview, schema: Mapping[int, str]) -> dict[str, Any]:
        """Read a message whose every field is known.

        Args:
            content: its bytes.
            schema: names of the fields by number. A name that ends in ``*`` is repeated; one
                that begins with ``-`` may be there and is not kept.

        Returns:
            Values by name, lists for what is repeated; absent fields are missing.

        Raises:
            WireError: a field is not in the schema, or comes twice without being repeated.
        """
        values: dict[str, Any] = {}
        for number, wire, value in self.fields(content):
            name = schema.get(number)
            if name is None:
                raise WireError(f"it has a field {number} that no step graph needs")
            if name.startswith("-"):
                continue
            if name.endswith("*"):
                values.setdefault(name[:-1], []).append((wire, value))
            elif name in values:
                raise WireError(f"it has two values of {name}")
            else:
                values[name] = value
        return values

    def integers(self, values: list[tuple[int, Any]]) -> list[int]:
        """Read a repeated field of signed 64-bit integers, packed or not.

        Args:
            values: wire types and values, as :meth:`message` returns them.

        Raises:
            WireError: they are not integers, or too many.
        """
        integers = []
        for wire, value in values:
            if wire == VARINT:
                integers.append(signed(value))
                continue
            if wire != BYTES:
                raise WireError("it has no integers where they are expected")
            position = 0
            while position < len(value):
                self._left -= 1
                if self._left < 0:
                    raise WireError("it has too many fields")
                integer, position = _varint(value, position)
                integers.append(signed(integer))
        return integers


def text(value: Any) -> str:
    """Read a string field.

    Args:
        value: as :meth:`Reader.message` returns it.

    Raises:
        WireError: it is not text in UTF-8.
    """
    if not isinstance(value, memoryview):
        raise WireError("it has a number where text is expected")
    try:
        return bytes(value).decode("utf-8")
    except UnicodeDecodeError as error:
        raise WireError("it has a name that is not UTF-8") from error


def signed(value: Any) -> int:
    """Read a varint as a signed 64-bit integer.

    Args:
        value: as :meth:`Reader.message` returns it.

    Raises:
        WireError: it is not a varint.
    """
    if not isinstance(value, int):
        raise WireError("it has text where a number is expected")
    integer: int = value & ((1 << 64) - 1)
    if integer >> 63:
        integer -= 1 << 64
    return integer


def _size(message: memoryview, position: int, wire: int) -> tuple[int, int]:
    if wire == BYTES:
        return _varint(message, position)
    if wire == FIXED64:
        return 8, position
    if wire == FIXED32:
        return 4, position
    raise WireError(f"it has a field of wire type {wire}")


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 7 * _MAX_VARINT_BYTES, 7):
        if position >= len(message):
            raise WireError("it is cut off")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise WireError("it has a number of more than 64 bits")
