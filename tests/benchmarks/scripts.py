"""Access to the helpers in benchmarks/lib/."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "benchmarks"


def injuries() -> Any:
    """Return the module with ways to damage a bundle."""
    return _load("injuries")


def neighbours() -> Any:
    """Return the module that puts load on the machine."""
    return _load("neighbours")


def extras() -> Any:
    """Return the module that checks for the packages of the bench extra."""
    return _load("extras")


@cache
def _load(name: str) -> Any:
    """Load a helper by path; it must not import other helpers."""
    path = FOLDER / "lib" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
