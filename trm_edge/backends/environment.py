"""The machine as seen by code that chooses or builds: driver, providers, compilers, packages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trm_edge.backends.onnxruntime_session import available_providers
from trm_edge.engines.compiler import Compiler, CompilerName
from trm_edge.engines.driver import DriverState, probe
from trm_edge.installation import jetson_board, module_folders, system_folders
from trm_edge.requirements import package_version


@dataclass(frozen=True)
class Environment:
    """Everything that is asked of a machine; the defaults ask this one, tests describe another.

    Args:
        probe_driver: asks NVIDIA's driver for its GPUs.
        providers: lists ONNX Runtime's execution providers.
        make_compiler: imports a compiler.
        package_version: looks up the version of a distribution; None where it is not installed.
        board: names the Jetson that this is; None on another machine.
        module_folders: lists the folders that a module can be imported from, the one in use first.
        system_folders: lists the folders of the system's own Python that hold a module.
    """

    probe_driver: Callable[[], DriverState] = probe
    providers: Callable[[], tuple[str, ...]] = available_providers
    make_compiler: Callable[[CompilerName], Compiler] = Compiler
    package_version: Callable[[str], str | None] = package_version
    board: Callable[[], str | None] = jetson_board
    module_folders: Callable[[str], tuple[Path, ...]] = module_folders
    system_folders: Callable[[str], tuple[Path, ...]] = system_folders
