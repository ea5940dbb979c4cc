"""TOML files: read within bounds, whatever is in them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from trm_edge.errors import ConfigError
from trm_edge.files import read_bytes
from trm_edge.typed_values import require_64_bits

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_TOML_BYTES = 64 << 10
_MAX_DOTS = 200  # in a line: the parser's memory grows with the square of a key's parts


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Args:
        path: the file.

    Raises:
        ConfigError: it cannot be read, is larger than 64 KiB, or is not TOML.
    """
    try:
        text = read_bytes(path, MAX_TOML_BYTES).decode("utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: it is not UTF-8 ({error}).") from error
    return decode_toml(text, str(path))


def decode_toml(text: str, source: str) -> dict[str, Any]:
    """Parse TOML.

    Args:
        text: at most 64 KiB.
        source: names the text in errors, such as its path.

    Raises:
        ConfigError: it is not TOML.
    """
    for number, line in enumerate(text.splitlines(), 1):
        if line.count(".") > _MAX_DOTS:
            raise ConfigError(
                f"{source} is not read: line {number} has {line.count('.')} dots, and at most "
                f"{_MAX_DOTS} are expected."
            )
    try:
        content: dict[str, Any] = tomllib.loads(text.removeprefix("\ufeff"))
        require_64_bits(content)
    except RecursionError as error:
        raise ConfigError(f"{source} is not valid TOML: it is nested too deeply.") from error
    except ValueError as error:  # of a number with thousands of digits too
        raise ConfigError(f"{source} is not valid TOML: {error}.") from error
    return content
