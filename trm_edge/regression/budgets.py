"""How much worse a bundle may get before CI goes red: ``[regress]`` of ``trm-edge.toml``."""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from pathlib import Path

from trm_edge.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CONFIG = "trm-edge.toml"
_TABLE = "regress"


@dataclass(frozen=True)
class Budgets:
    """What is allowed, each against the baseline. Percentages are of the baseline's figure.

    Raises:
        ConfigError: a value is out of its range.
    """

    max_drop: float = 0.5  # points of exact match, in either halting mode
    halting_agreement: float = 0.9  # least share of puzzles that stop at the same step
    steps: float = 3.0  # % more ACT steps on average
    fidelity: float = 25.0  # % more error of the carry after the first step, against float32
    latency: float = 5.0  # %
    size: float = 1.0  # %, of the step graph and of the engine
    memory: float = 15.0  # %, at its peak, of a process that solves a puzzle
    startup: float = 50.0  # %, until such a process answers, over imports alone
    pinned: bool = False  # the step graph has to be the baseline's, byte for byte

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, bool):
                if not isinstance(value, bool):
                    raise ConfigError(
                        f"{_TABLE}.{field.name} must be true or false, but got {value!r}."
                    )
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ConfigError(f"{_TABLE}.{field.name} must be a number, but got {value!r}.")
            most = {"halting_agreement": 1.0, "max_drop": 100.0}.get(field.name, 1000.0)
            if not 0 <= value <= most:
                raise ConfigError(
                    f"{_TABLE}.{field.name} must lie in 0..{most:g}, but got {value:g}."
                )

    @classmethod
    def read(cls, path: Path | None) -> Budgets:
        """From a file; without one, from ``trm-edge.toml`` here if there is one, else defaults.

        Raises:
            ConfigError: the file is missing, no TOML, or has a key that is not known.
        """
        if path is None and not Path(CONFIG).exists():
            return cls()
        path = path or Path(CONFIG)
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read budgets from {path}: {error}.") from error
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path} is no TOML: {error}.") from error
        table = content.get(_TABLE, {})
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(table) - set(known)) if isinstance(table, dict) else [_TABLE]
        if unknown:
            raise ConfigError(
                f"{path}: [{_TABLE}] has {', '.join(unknown)}, but knows only {', '.join(known)}."
            )
        return cls(**table)
