"""trm-edge: deploy trained Tiny Recursive Models."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from trm_edge import errors
    from trm_edge.backends.base import Backend
    from trm_edge.backends.fake import FakeBackend
    from trm_edge.bundle import Bundle, load
    from trm_edge.loop.exploration import Exploration
    from trm_edge.loop.halting import HaltingRule
    from trm_edge.loop.rollouts import Rollouts
    from trm_edge.loop.selection import selector_for
    from trm_edge.loop.solution import Solution
    from trm_edge.loop.solver import Solver
    from trm_edge.puzzle import Puzzle

__all__ = [
    "Backend",
    "Bundle",
    "Exploration",
    "FakeBackend",
    "HaltingRule",
    "Puzzle",
    "Rollouts",
    "Solution",
    "Solver",
    "__version__",
    "errors",
    "load",
    "selector_for",
]

# Where each public name lives; imported on first use (PEP 562), so that `import trm_edge` is light.
_MODULES = {
    "Backend": "trm_edge.backends.base",
    "Bundle": "trm_edge.bundle",
    "Exploration": "trm_edge.loop.exploration",
    "FakeBackend": "trm_edge.backends.fake",
    "HaltingRule": "trm_edge.loop.halting",
    "Puzzle": "trm_edge.puzzle",
    "Rollouts": "trm_edge.loop.rollouts",
    "Solution": "trm_edge.loop.solution",
    "Solver": "trm_edge.loop.solver",
    "load": "trm_edge.bundle",
    "selector_for": "trm_edge.loop.selection",
}

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> object:
    if name == "errors":
        return importlib.import_module("trm_edge.errors")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
