"""Access to the benchmarks and to their helpers in benchmarks/lib/."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "benchmarks"


def injuries() -> Any:
    """Return the module with ways to damage a bundle."""
    return _load("injuries")


def tries() -> Any:
    """Return the module that records tries and lets selectors choose."""
    return _load("tries")


def neighbours() -> Any:
    """Return the module that puts load on the machine."""
    return _load("neighbours")


def extras() -> Any:
    """Return the module that checks for the packages of the bench extra."""
    return _load("extras")


def emulation(name: str) -> Any:
    """Return a module of the emulated runs, which import one another as ``lib.emulation``.

    Args:
        name: of the module.
    """
    return library(f"emulation.{name}")


def emulated() -> Any:
    """Return the script of the emulated runs."""
    emulation("errors")
    return _load("emulated", FOLDER)


def document_tables() -> Any:
    """Return the module that writes tables into documents."""
    return _load("document_tables")


def latency() -> Any:
    """Return the benchmark of single answers under a deadline."""
    return script("latency")


def browser() -> Any:
    """Return the benchmark of the page in a browser."""
    return script("browser")


def site_server() -> Any:
    """Return the module that serves a site and counts what it sends."""
    return _load("site_server")


def http_load() -> Any:
    """Return the module that sends requests at given rates."""
    return _load("http_load")


def serve() -> Any:
    """Return the benchmark of a server under load."""
    return script("serve")


def script(name: str) -> Any:
    """Return a benchmark that imports its helpers as ``lib``.

    Args:
        name: of the benchmark.
    """
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
    return _load(name, FOLDER)


def library(name: str) -> Any:
    """Return a helper that imports others as ``lib``.

    Args:
        name: of the helper.
    """
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
    return importlib.import_module(f"lib.{name}")


def batch() -> Any:
    """Return the benchmark of runs over many puzzles."""
    return script("batch")


def process_tree() -> Any:
    """Return the module that reads memory and CPU time of processes."""
    return _load("process_tree")


def use_samples() -> Any:
    """Return the module that samples memory and CPU time of a run."""
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
    return _load("use_samples")


def soak() -> Any:
    """Return the soak."""
    return _load("soak", FOLDER)


@cache
def _load(name: str, folder: Path = FOLDER / "lib") -> Any:
    """Load a helper by path; it must not import other helpers."""
    path = folder / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module
