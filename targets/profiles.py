"""Target profiles: one TOML file per device beside this module, or a file of your own."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

from trm_edge import toml_file
from trm_edge.errors import ConfigError
from trm_edge.profile import TargetProfile, profile_from_dict
from trm_edge.suggestions import did_you_mean

_SUFFIX = ".toml"
_RESERVED = ("float32",)  # folder of a bundle that holds the float32 graph


def profile_names() -> list[str]:
    """Names of all bundled target profiles, sorted."""
    names = []
    for file in resources.files("trm_edge.targets").iterdir():
        if file.name.endswith(_SUFFIX):
            names.append(file.name.removesuffix(_SUFFIX))
    return sorted(names)


def load_profile(name: str) -> TargetProfile:
    """Read a target profile.

    Args:
        name: of a bundled profile, or the path of your own file, which ends in ``.toml``.

    Raises:
        ConfigError: there is no such target (names the closest), or a key is unknown or missing.
    """
    if name.endswith(_SUFFIX):
        return _load_file(Path(name))
    names = profile_names()
    if name not in names:
        raise ConfigError(
            f"there is no target {name!r}; the targets are {', '.join(names)}."
            f"{did_you_mean(name, names)} To use a "
            "profile of your own, pass the path of its .toml file."
        )
    file = resources.files("trm_edge.targets") / f"{name}{_SUFFIX}"
    return profile_from_dict(name, toml_file.decode_toml(file.read_text(encoding="utf-8"), name))


def _load_file(path: Path) -> TargetProfile:
    name = path.stem
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name) or name in _RESERVED:
        raise ConfigError(
            f"{path}: a target is named after its file, in lower-case letters, digits, dots and "
            f"hyphens, and not {' or '.join(_RESERVED)}. Rename the file."
        )
    try:
        values = toml_file.read_toml(path)
    except ConfigError as error:
        raise ConfigError(f"{path} is not a target profile: {error}") from error
    return profile_from_dict(name, values)
