"""JSON records: every JSON that trm-edge writes, prints or reads goes through here.

A record is a dataclass. On disk it is one JSON object whose first key, ``format``, says what it is
and in which version: ``trm-edge.bundle/1``. Reading checks that line, the type of every value, and
that there is no key that the dataclass does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np

from trm_edge.errors import ConfigError, TrmEdgeError
from trm_edge.files import write_text

T = TypeVar("T")

MAX_BYTES = 64 << 20  # of a record's file: read before anything is parsed
_UPGRADE = "Upgrade with: pip install --upgrade trm-edge"


class Format(NamedTuple):
    """The ``format`` line of a record.

    >>> str(Format("trm-edge.bundle", 1))
    'trm-edge.bundle/1'
    """

    family: str
    version: int

    def __str__(self) -> str:
        return f"{self.family}/{self.version}"

    @classmethod
    def parse(cls, text: object) -> Format | None:
        """The format that a JSON value names, or None where it names none.

        Args:
            text: any JSON value, usually the string under ``format``.

        >>> Format.parse("trm-edge.bundle/2")
        Format(family='trm-edge.bundle', version=2)
        """
        if not isinstance(text, str):
            return None
        family, slash, version = text.partition("/")
        if not slash or not version.isdecimal() or len(version) > 9:
            return None
        return cls(family, int(version))


class RecordKind(NamedTuple):
    """A kind of record: its format, what people call it, and how a broken one is mended.

    Args:
        format: the version that this release writes.
        noun: with its article, for error messages: ``"a trm-edge bundle"``.
        error: what is raised where a record cannot be read.
        remedy: a sentence that says what to do with a broken record.
    """

    format: Format
    noun: str
    error: type[TrmEdgeError]
    remedy: str


def to_builtins(value: Any) -> Any:
    """Dataclasses, tuples, paths and numpy values as dicts, lists, strings and numbers.

    Args:
        value: anything a record is made of.

    Raises:
        TypeError: a value has no JSON form.
    """
    return msgspec.to_builtins(value, enc_hook=_builtin, str_keys=True)


def encode(record: Any, record_format: Format, *, indent: int = 2) -> str:
    """A record as JSON text, its format line first.

    Args:
        record: a dataclass or a mapping.
        record_format: the format line.
        indent: spaces a level; 0 for one line.

    Returns:
        The JSON object, ending in a newline.
    """
    content = {"format": str(record_format), **to_builtins(record)}
    text = msgspec.json.format(msgspec.json.encode(content), indent=indent or -1)
    return text.decode("utf-8") + "\n"


def write(path: Path, record: Any, record_format: Format, *, indent: int = 2) -> None:
    """Write a record whole or not at all; arguments as in :func:`encode`."""
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
        upgrade: makes a record with a format line of what a release without one wrote.
        migrate: changes the raw content of an older release in place, before it is checked.
        decode_value: builds values of types that JSON does not have, such as arrays.

    Raises:
        TrmEdgeError: ``kind.error``: missing, unreadable, too large, of another format, or with
            keys or values that the record does not have.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        message = missing or f"{path} does not exist. {kind.remedy}"
        raise kind.error(message) from error
    except OSError as error:
        raise kind.error(f"{path} cannot be read: {error.strerror or error}.") from error
    if len(text) > MAX_BYTES:
        raise kind.error(
            f"{path} is larger than {MAX_BYTES >> 20} MiB, so it is not {kind.noun}. {kind.remedy}"
        )
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
    where: str,
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
        where: names the source in errors.
        upgrade: makes a record with a format line of what a release without one wrote.
        migrate: changes the raw content of an older release in place, before it is checked.
        decode_value: builds values of types that JSON does not have, such as arrays.

    Raises:
        TrmEdgeError: ``kind.error``; see :func:`read`.
    """
    try:
        raw = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise kind.error(
            f"{where} is not {kind.noun}: it is not valid JSON ({error}). {kind.remedy}"
        ) from error
    if upgrade is not None:
        raw = upgrade(raw)
    check_format(raw, kind, where)
    del raw["format"]
    try:
        if migrate is not None:
            migrate(raw)
        return build(record, raw, decode_value=decode_value)
    except (ConfigError, KeyError, TypeError, AttributeError) as error:
        raise kind.error(
            f"{where} is not {kind.noun} that this version can read: {error}. {kind.remedy}"
        ) from error


def check_format(raw: Any, kind: RecordKind, where: str) -> None:
    """Tell a foreign file from one that a newer release wrote.

    Args:
        raw: the parsed JSON.
        kind: whose format is expected.
        where: names the source in errors.

    Raises:
        TrmEdgeError: ``kind.error``; names the format found and the one that is read.
    """
    found = raw.get("format") if isinstance(raw, dict) else None
    parsed = Format.parse(found)
    ours = parsed is not None and parsed.family == kind.format.family
    if parsed is not None and ours and 1 <= parsed.version <= kind.format.version:
        return
    if ours:
        raise kind.error(
            f"{where} has format {parsed}, but this version of trm-edge reads {kind.format}. "
            f"{_UPGRADE}"
        )
    shown = repr(found)
    if len(shown) > 80:
        shown = f"{shown[:77]}..."
    raise kind.error(
        f"{where} is not {kind.noun}: its format is {shown}, expected {str(kind.format)!r}. "
        f"{kind.remedy}"
    )


def build(
    record: type[T],
    raw: Any,
    *,
    decode_value: Callable[[type, Any], Any] | None = None,
) -> T:
    """A dataclass from parsed JSON or TOML, every key and type checked.

    Args:
        record: the dataclass; nested ones, tuples, mappings, literals and unions are followed.
        raw: its values by key.
        decode_value: builds values of types that JSON does not have, such as arrays.

    Raises:
        ConfigError: a key is missing or unknown, or a value has another type; names the key.
    """
    try:
        value = msgspec.convert(raw, record, dec_hook=decode_value)
    except msgspec.ValidationError as error:
        raise ConfigError(_readable(str(error))) from error
    except RecursionError as error:
        raise ConfigError("it is nested too deeply") from error
    _refuse_unknown_keys(raw, value, "")
    return value


def schema(record: Any, record_format: Format) -> dict[str, Any]:
    """JSON Schema (2020-12) of a record as :func:`encode` writes it.

    Args:
        record: the dataclass.
        record_format: its format line.
    """
    (definition,), components = msgspec.json.schema_components(
        [record], schema_hook=_schema_of, ref_template="#/$defs/{name}"
    )
    name = definition["$ref"].rpartition("/")[2]
    top = components.pop(name)
    top["properties"] = {"format": {"const": str(record_format)}, **top["properties"]}
    top["required"] = ["format", *top.get("required", [])]
    for part in (top, *components.values()):
        if part.get("type") == "object" and "properties" in part:
            part["additionalProperties"] = False
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **top,
        "$defs": components,
    }


def _refuse_unknown_keys(raw: Any, value: Any, path: str) -> None:
    """Walk the raw content beside what was built from it."""
    if is_dataclass(value) and isinstance(raw, Mapping):
        names = value.__dataclass_fields__
        unknown = sorted(str(key) for key in set(raw) - set(names))
        if unknown:
            where = f" in {path}" if path else ""
            raise ConfigError(
                f"unknown {', '.join(unknown)}{where}; the keys are {', '.join(names)}"
            )
        for key, part in raw.items():
            _refuse_unknown_keys(part, getattr(value, key), f"{path}.{key}" if path else key)
    elif isinstance(value, Mapping) and isinstance(raw, Mapping):
        for key, part in raw.items():
            _refuse_unknown_keys(part, value.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)) and isinstance(raw, (list, tuple)):
        for number, (part, built) in enumerate(zip(raw, value, strict=False)):
            _refuse_unknown_keys(part, built, f"{path}[{number}]")


def _readable(message: str) -> str:
    """msgspec names the place as ``$.targets[...].step``."""
    text = message.replace(" - at `$.", " in ").replace(" - at `$", " in ").replace("`", "")
    return text[:1].lower() + text[1:]


def _builtin(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _schema_of(kind: type) -> dict[str, Any]:
    if kind is Path:
        return {"type": "string"}
    if issubclass(kind, np.ndarray):
        return {"type": "array"}
    raise TypeError(f"{kind.__name__} has no JSON Schema")
