"""A device as data: one TOML file each, unknown keys refused."""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass, fields
from importlib import resources
from typing import Any, Literal, get_args

from trm_edge.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Precision = Literal["int8", "fp8", "fp16", "fp32", "int8-weight-only", "int4-weight-only"]


@dataclass(frozen=True)
class TargetProfile:
    """What a device can run.

    Raises:
        ConfigError: a precision is unknown.
    """

    name: str
    description: str
    precisions: tuple[Precision, ...]
    correctness_only: tuple[Precision, ...] = ()  # runs, but not for speed

    def __post_init__(self) -> None:
        for precision in (*self.precisions, *self.correctness_only):
            if precision not in get_args(Precision):
                raise ConfigError(
                    f"target {self.name}: precision must be one of "
                    f"{', '.join(get_args(Precision))}, but got {precision!r}."
                )

    def require(self, precision: Precision) -> None:
        """Refuse what the device does not have.

        Raises:
            ConfigError: lists what it has.
        """
        if precision not in self.precisions:
            raise ConfigError(
                f"{self.name} has no {precision}; it has {', '.join(self.precisions)}."
            )


def profile_names() -> list[str]:
    """Every target there is a file for."""
    files = resources.files("trm_edge.targets").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def load_profile(name: str) -> TargetProfile:
    """Read a target's file.

    Raises:
        ConfigError: no such target (with the closest names), or a key is unknown or missing.
    """
    if name not in profile_names():
        close = difflib.get_close_matches(name, profile_names(), n=2)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise ConfigError(f"no target {name!r}; there is {', '.join(profile_names())}.{hint}")
    text = (resources.files("trm_edge.targets") / f"{name}.toml").read_text(encoding="utf-8")
    return profile_from_dict(name, tomllib.loads(text))


def profile_from_dict(name: str, values: dict[str, Any]) -> TargetProfile:
    """Check the keys of a target's file.

    Raises:
        ConfigError: names what is unknown or missing, and the known keys.
    """
    known = [f.name for f in fields(TargetProfile) if f.name != "name"]
    unknown = sorted(set(values) - set(known))
    missing = [key for key in ("description", "precisions") if key not in values]
    if unknown or missing:
        raise ConfigError(
            f"target {name}: unknown {', '.join(unknown) or 'nothing'}, missing "
            f"{', '.join(missing) or 'nothing'}. The keys are {', '.join(known)}."
        )
    return TargetProfile(
        name=name,
        description=str(values["description"]),
        precisions=tuple(values["precisions"]),
        correctness_only=tuple(values.get("correctness_only", ())),
    )
