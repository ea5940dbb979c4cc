"""JSON records: every JSON that trm-edge writes, prints or reads goes through here.

A record is a dataclass. As text it is one JSON object whose first key, ``format``, names its kind
and version: ``trm-edge.bundle/1``. Reading checks that line and the type of every value, and
refuses keys that the dataclass does not have.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np

from trm_edge.errors import ConfigError, TrmEdgeError
from trm_edge.files import read_bytes, write_text
from trm_edge.json_text import json_noun, json_problem, parse_json
from trm_edge.printable import printable
from trm_edge.typed_values import build

T = TypeVar("T")

MAX_BYTES = 64 << 20  # of a record's file; a larger one is not parsed
# A terminal obeys some of these, though JSON allows them as they are.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")
_UPGRADE = "Upgrade with: pip install --upgrade trm-edge"


class Format(NamedTuple):
    """The ``format`` line of a record.

    Args:
        family: the kind of record.
        version: from 1.

    >>> str(Format("trm-edge.bundle", 1))
    'trm-edge.bundle/1'
    """

    family: str
    version: int

    def __str__(self) -> str:
        return f"{self.family}/{self.version}"

    @classmethod
    def parse(cls, text: object) -> Format | None:
        """Parse a format line.

        Args:
            text: any JSON value, usually the string under ``format``.

        Returns:
            The format, or None where the value is not a format line.

        >>> Format.parse("trm-edge.bundle/2")
        Format(family='trm-edge.bundle', version=2)
        """
        if not isinstance(text, str):
            return None
        family, slash, version = text.partition("/")
        if not slash or not version.isascii() or not version.isdecimal() or len(version) > 9:
            return None
        return cls(family, int(version))


class RecordKind(NamedTuple):
    """A kind of record: its format, its name for people, and the remedy for a broken one.

    Args:
        format: the version that is written; older ones are read.
        noun: its name with the article, for error messages: ``"a trm-edge bundle"``.
        error: the error raised where a record cannot be read.
        remedy: a sentence that says what to do with a broken record.
    """

    format: Format
    noun: str
    error: type[TrmEdgeError]
    remedy: str


def to_builtins(value: Any) -> Any:
    """Turn dataclasses, tuples, paths and numpy values into dicts, lists, strings and numbers.

    Args:
        value: anything that a record is made of.

    Raises:
        TypeError: a value has no JSON form.
    """
    return msgspec.to_builtins(value, enc_hook=_builtin, str_keys=True)


def encode(record: Any, record_format: Format, *, indent: int = 2) -> str:
    """Write a record as JSON text, its format line first.

    Args:
        record: a dataclass or a mapping; NaN and infinity become null.
        record_format: the format line.
        indent: spaces per level; 0 for one line.

    Returns:
        The JSON object, ending in a newline.

    Raises:
        TypeError: a value has no JSON form.
        ValueError: the record has a key ``format`` of its own.
    """
    values = to_builtins(record)
    if "format" in values:
        raise ValueError("a record's format line is written for it; it must not have its own")
    record_values = {"format": str(record_format), **values}
    try:
        content = msgspec.json.encode(record_values)
    except UnicodeEncodeError:  # a path that is not UTF-8
        content = msgspec.json.encode(_printable_values(record_values))
    if indent:
        content = msgspec.json.format(content, indent=indent)
    text = content.decode("utf-8")
    if not text.isprintable():  # line breaks are not, but they are left as they are
        text = _UNPRINTABLE.sub(_escaped, text)
    return f"{text}\n"


def write(path: Path, record: Any, record_format: Format, *, indent: int = 2) -> None:
    """Write a record to a file, whole or not at all.

    Args:
        path: the file.
        record: as in :func:`encode`.
        record_format: the format line.
        indent: spaces per level; 0 for one line.

    Raises:
        OutputError: the file cannot be written.
    """
    write_text(path, encode(record, record_format, indent=indent))


def read(
    path: Path,
    record: type[T],
    kind: RecordKind,
    *,
    missing: str | None = None,
    upgrade: Callable[[Any], Any] | None = None,
    migrate: Callable[[dict[str, Any]], None] | None = None,
    decode_value: Callable[[type, Any], Any] | None = None,
) -> T:
    """Read and check a record's file.

    Args:
        path: the file.
        record: the dataclass to build.
        kind: whose format is expected and whose error is raised.
        missing: the message where there is no such file; a general one by default.
        upgrade: turns JSON that a version without format lines wrote into a record with one.
        migrate: changes the raw content of an older version in place, before it is checked.
        decode_value: builds values of types that JSON does not have, such as arrays.

    Raises:
        TrmEdgeError: ``kind.error``: the file is missing, unreadable, too large, of another
            format, or has keys or values that do not fit the record.
    """
    try:
        text = read_bytes(path, MAX_BYTES)
    except FileNotFoundError as error:
        message = missing or f"{path} does not exist. {kind.remedy}"
        raise kind.error(message) from error
    except OSError as error:
        if error.errno == errno.EFBIG:
            message = f"{path} is larger than {MAX_BYTES >> 20} MiB, so it is not {kind.noun}."
            raise kind.error(f"{message} {kind.remedy}") from error
        raise kind.error(f"{path} cannot be read: {error.strerror or error}.") from error
    return decode(
        text,
        record,
        kind,
        str(path),
        upgrade=upgrade,
        migrate=migrate,
        decode_value=decode_value,
    )


def decode(
    text: str | bytes,
    record: type[T],
    kind: RecordKind,
    source: str,
    *,
    upgrade: Callable[[Any], Any] | None = None,
    migrate: Callable[[dict[str, Any]], None] | None = None,
    decode_value: Callable[[type, Any], Any] | None = None,
) -> T:
    """Parse and check a record.

    Args:
        text: JSON, UTF-8.
        record: the dataclass to build.
        kind: whose format is expected and whose error is raised.
        source: names the record in errors, such as its path.
        upgrade: turns JSON that a version without format lines wrote into a record with one.
        migrate: changes the raw content of an older version in place, before it is checked.
        decode_value: builds values of types that JSON does not have, such as arrays.

    Raises:
        TrmEdgeError: ``kind.error``; see :func:`read`.
    """
    try:
        raw = parse_json(text)
    except (ValueError, RecursionError) as error:
        raise kind.error(
            f"{source} is not {kind.noun}: {json_problem(text, error)}. {kind.remedy}"
        ) from error
    if upgrade is not None:
        raw = _converted(upgrade, raw, kind, source)
    check_format(raw, kind, source)
    del raw["format"]
    if migrate is not None:
        _converted(migrate, raw, kind, source)
    try:
        return build(record, raw, decode_value=decode_value)
    except ConfigError as error:
        raise _unreadable(error, kind, source) from error


def check_format(raw: Any, kind: RecordKind, source: str) -> None:
    """Refuse a foreign file, and one that a newer version wrote.

    Args:
        raw: the parsed JSON.
        kind: whose format is expected.
        source: names the record in errors.

    Raises:
        TrmEdgeError: ``kind.error``; names the actual format and the one that is read.
    """
    if not isinstance(raw, dict):
        raise kind.error(
            f"{source} is not {kind.noun}: it holds {json_noun(raw)}, expected an object "
            f"with the format {str(kind.format)!r}. {kind.remedy}"
        )
    if "format" not in raw:
        raise kind.error(
            f"{source} is not {kind.noun}: it has no format, expected {str(kind.format)!r}. "
            f"{kind.remedy}"
        )
    line = raw["format"]
    actual = Format.parse(line)
    if actual is not None and actual.family == kind.format.family and actual.version >= 1:
        if actual.version <= kind.format.version:
            return
        raise kind.error(
            f"{source} has format {actual}, but this version of trm-edge reads {kind.format}. "
            f"{_UPGRADE}"
        )
    shown = repr(line)
    if len(shown) > 80:
        shown = f"{shown[:77]}..."
    raise kind.error(
        f"{source} is not {kind.noun}: its format is {shown}, expected {str(kind.format)!r}. "
        f"{kind.remedy}"
    )


def _converted(conversion: Callable[[Any], Any], raw: Any, kind: RecordKind, source: str) -> Any:
    """Convert an older version's content, which nothing has checked yet."""
    try:
        return conversion(raw)
    except (ConfigError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise _unreadable(error, kind, source) from error


def _unreadable(error: Exception, kind: RecordKind, source: str) -> TrmEdgeError:
    reason = str(error).removesuffix(".")
    return kind.error(
        f"{source} is not {kind.noun} that this version can read: {reason}. {kind.remedy}"
    )


def _printable_values(value: Any) -> Any:
    """Escape the texts of JSON values."""
    if isinstance(value, str):
        return printable(value, lines=True)
    if isinstance(value, dict):
        return {printable(key): _printable_values(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_printable_values(part) for part in value]
    return value


def _escaped(character: re.Match[str]) -> str:
    return f"\\u{ord(character.group()):04x}"


def _builtin(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
