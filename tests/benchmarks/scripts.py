"""How tests reach what is in benchmarks/."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "benchmarks"


def injuries() -> Any:
    """Ways to make a bundle worse."""
    return _script("injuries")


def neighbours() -> Any:
    """Load on the machine."""
    return _script("neighbours")


@cache
def _script(name: str) -> Any:
    """The module of that name; it may import none of its neighbours."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    if spec is None or spec.loader is None:
        raise ImportError(FOLDER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
