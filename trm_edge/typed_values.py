"""Parsed JSON and TOML turned into dataclasses, every key and type checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from typing import Any, TypeVar

import msgspec

from trm_edge.errors import ConfigError

T = TypeVar("T")

_INTEGERS = range(-(1 << 63), 1 << 64)  # what 64 bits hold, signed or not


def build(
    record: type[T],
    raw: Any,
    *,
    decode_value: Callable[[type, Any], Any] | None = None,
) -> T:
    """Build a dataclass from parsed JSON or TOML, every key and type checked.

    Args:
        record: the dataclass; it may hold others, tuples, mappings, literals and unions.
        raw: its values by key.
        decode_value: builds values of types that JSON does not have, such as arrays.

    Raises:
        ConfigError: a key is missing or unknown, or a value has another type; names the key.
    """
    try:
        value = msgspec.convert(raw, record, dec_hook=decode_value)
        _refuse_unknown_keys(raw, value, "")
    except msgspec.ValidationError as error:
        raise ConfigError(_readable(str(error))) from error
    except RecursionError as error:
        raise ConfigError("it is nested too deeply") from error
    return value


def require_64_bits(raw: Any) -> None:
    """Refuse whole numbers that no record needs, and that Python may refuse to print.

    Args:
        raw: parsed JSON or TOML.

    Raises:
        ValueError: it holds a whole number beyond 64 bits.
        RecursionError: it is nested too deeply.
    """
    if isinstance(raw, int) and raw not in _INTEGERS:
        raise ValueError("it holds a whole number of more than 64 bits")
    if isinstance(raw, dict):
        for part in raw.values():
            require_64_bits(part)
    elif isinstance(raw, list):
        for part in raw:
            require_64_bits(part)


def _refuse_unknown_keys(raw: Any, value: Any, path: str) -> None:
    """Walk the raw content beside the value that was built from it."""
    prefix = f"{path}." if path else ""
    if is_dataclass(value) and isinstance(raw, Mapping):
        names = value.__dataclass_fields__
        unknown = sorted(str(key) for key in set(raw) - set(names))
        if unknown:
            place = f" in {path}" if path else ""
            raise ConfigError(
                f"unknown {', '.join(unknown)}{place}; the keys are {', '.join(names)}"
            )
        for key, raw_part in raw.items():
            _refuse_unknown_keys(raw_part, getattr(value, key), f"{prefix}{key}")
    elif isinstance(value, Mapping) and isinstance(raw, Mapping):
        for key, raw_part in raw.items():
            _refuse_unknown_keys(raw_part, value.get(key), f"{prefix}{key}")
    elif isinstance(value, (list, tuple)) and isinstance(raw, (list, tuple)):
        for number, (raw_part, part) in enumerate(zip(raw, value, strict=False)):
            _refuse_unknown_keys(raw_part, part, f"{path}[{number}]")


def _readable(message: str) -> str:
    """Reword an error of msgspec, which names the place as ``$.targets[...].step``."""
    text = message.replace(" - at `$.", " in ").replace(" - at `$", " in ").replace("`", "")
    return text[:1].lower() + text[1:]
