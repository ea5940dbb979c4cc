"""The machine as seen by code that chooses or builds: driver, providers, compilers, packages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata

from trm_edge.backends.onnxruntime import available_providers
from trm_edge.engines.compiler import Compiler, CompilerName
from trm_edge.engines.driver import DriverState, probe


def package_version(name: str) -> str | None:
    """Return the version of an installed distribution, or None where it is not installed.

    Args:
        name: as on the package index, such as ``nvidia-modelopt``.
    """
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


@dataclass(frozen=True)
class Environment:
    """Everything that is asked of a machine; the defaults ask this one, tests describe another.

    Args:
        probe_driver: asks NVIDIA's driver for its GPUs.
        providers: lists ONNX Runtime's execution providers.
        make_compiler: imports a compiler.
        package_version: looks up the version of a distribution; None where it is not installed.
    """

    probe_driver: Callable[[], DriverState] = probe
    providers: Callable[[], tuple[str, ...]] = available_providers
    make_compiler: Callable[[CompilerName], Compiler] = Compiler
    package_version: Callable[[str], str | None] = package_version
