"""The devices that trm-edge knows, one TOML file each beside this module, and files of your own."""

from __future__ import annotations

import difflib
import re
import sys
from importlib import resources
from pathlib import Path

from trm_edge.errors import ConfigError
from trm_edge.profile import TargetProfile, profile_from_dict

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def profile_names() -> list[str]:
    """Every target there is a file for."""
    files = resources.files("trm_edge.targets").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def load_profile(name: str) -> TargetProfile:
    """Read a target's file: one of those that come along, or your own by its path.

    Raises:
        ConfigError: no such target (with the closest names), or a key is unknown or missing.
    """
    if name.endswith(".toml"):
        return _load_file(Path(name))
    if name not in profile_names():
        close = difflib.get_close_matches(name, profile_names(), n=2)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise ConfigError(
            f"no target {name!r}; there is {', '.join(profile_names())}.{hint} A file of your own "
            "ends in .toml."
        )
    text = (resources.files("trm_edge.targets") / f"{name}.toml").read_text(encoding="utf-8")
    return profile_from_dict(name, tomllib.loads(text))


def _load_file(path: Path) -> TargetProfile:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", path.stem):
        raise ConfigError(
            f"{path}: a target is named by its file, in lower case, digits, dots and hyphens."
        )
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} is no target's file: {error}.") from error
    return profile_from_dict(path.stem, values)
