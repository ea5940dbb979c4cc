"""JSON text parsed within bounds: marks, broken escapes and numbers that other programs write."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from trm_edge.typed_values import require_64_bits

# An escape of JSON; half: of a character beyond 16 bits, without its other half.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<half>u[dD][89a-fA-F]..)|.)", re.DOTALL
)
_LONG_NUMBER = re.compile(rb"[0-9]{19}")  # the shortest that may not fit into 64 bits
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # some editors write one before UTF-8
_NOUNS = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "nothing",
}
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def parse_json(text: str | bytes) -> Any:
    """Parse JSON; half a pair of surrogates becomes the replacement character.

    Args:
        text: UTF-8, with or without a byte order mark.

    Raises:
        ValueError: it is not JSON, or holds a whole number beyond 64 bits.
        RecursionError: it is nested too deeply.
    """
    content = text if isinstance(text, bytes) else text.encode("utf-8")
    content = content.removeprefix(_BYTE_ORDER_MARK)
    value = _parsed(content)
    if _LONG_NUMBER.search(content):
        require_64_bits(value)
    return value


def json_problem(text: str | bytes, error: Exception) -> str:
    """Say why a text is not JSON, in words for the person who passed the file.

    Args:
        text: that :func:`parse_json` refused.
        error: that it raised.

    >>> json_problem("", ValueError("Input data was truncated"))
    'it is empty'
    """
    if not text.strip():
        return "it is empty"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeError) or _is_utf_16(text):
        return "it is not UTF-8 text"
    return f"it is not valid JSON ({str(error).removeprefix('JSON is malformed: ')})"


def json_noun(value: Any) -> str:
    """Name a parsed value as its writer would, with the article.

    Args:
        value: of JSON, YAML or TOML.

    >>> json_noun([1, 2])
    'a list'
    """
    return _NOUNS.get(type(value), f"a {type(value).__name__}")


def _is_utf_16(text: str | bytes) -> bool:
    return isinstance(text, bytes) and text.startswith(_UTF_16_MARKS)


def _parsed(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:
        repaired = _ESCAPE.sub(_whole, content)
        if repaired == content:
            raise
        return msgspec.json.decode(repaired)


def _whole(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape["half"] else escape.group()
