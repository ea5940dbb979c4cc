"""Budgets: how much worse a bundle may get before CI fails; ``[regress]`` of ``trm-edge.toml``."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

from trm_edge import toml_file, typed_values
from trm_edge.errors import ConfigError

CONFIG = "trm-edge.toml"
_LARGEST = {"halting_agreement": 1.0, "max_drop": 100.0}
_LARGEST_PERCENT = 1000.0


@dataclass(frozen=True)
class Budgets:
    """Changes that are allowed, each against the baseline. Percentages are of its figure.

    Args:
        max_drop: points of exact match that may be lost, in either halting mode; 0..100.
        halting_agreement: minimum share of puzzles that halt at the same step; 0..1.
        steps: % more ACT (adaptive computation time) steps on average; 0..1000, as all below.
        fidelity: % more error of the carry after the first step, against float32.
        latency: % more time of a step.
        size: % more bytes, of the step graph and of the engine.
        memory: % more peak memory of a process that solves a puzzle.
        startup: % more CPU time until such a process answers, over imports alone.
        pinned: the step graph must be the baseline's, byte for byte.

    Raises:
        ConfigError: a value is out of its range.
    """

    max_drop: float = 0.5
    halting_agreement: float = 0.9
    steps: float = 3.0
    fidelity: float = 25.0
    latency: float = 5.0
    size: float = 1.0
    memory: float = 15.0
    startup: float = 50.0
    pinned: bool = False

    def __post_init__(self) -> None:
        for budget in fields(self):
            if budget.name == "pinned":
                continue
            value = getattr(self, budget.name)
            largest = _LARGEST.get(budget.name, _LARGEST_PERCENT)
            if not 0 <= value <= largest:
                raise ConfigError(
                    f"regress.{budget.name} must lie in 0..{largest:g}, but got {value:g}"
                )

    @classmethod
    def read(cls, path: Path | None) -> Budgets:
        """Read budgets from a file.

        Args:
            path: a TOML file; None: ``trm-edge.toml`` in the current folder if there is one, else
                the defaults.

        Raises:
            ConfigError: the file is missing, not TOML, or has an unknown section, an unknown key or
                a value of the wrong type or range.
        """
        if path is None:
            path = Path(CONFIG)
            if not path.exists():
                return cls()
        content = toml_file.read_toml(path)
        try:
            return typed_values.build(_BudgetFile, content).regress
        except ConfigError as error:
            sections = ", ".join(f"[{section.name}]" for section in fields(_BudgetFile))
            raise ConfigError(
                f"{path}: {error}. Its sections are {sections}, and a key stands below one."
            ) from error


@dataclass(frozen=True)
class _BudgetFile:
    """The sections of ``trm-edge.toml``."""

    regress: Budgets = field(default_factory=Budgets)
