"""``trm-edge doctor``."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from importlib import metadata

import click
from rich.console import Console
from rich.table import Table

from trm_edge import __version__
from trm_edge.cli.options import json_option
from trm_edge.engines.driver import DriverState, probe
from trm_edge.evaluation.machine import cpu_name

# What each package is for, and the extra that brings it.
_PACKAGES = (
    ("onnxruntime", "solving on a CPU", "base"),
    ("torch", "exporting, the reference backend", "export"),
    ("onnx", "exporting", "export"),
    ("nvidia-modelopt", "calibrating INT8 and FP8", "export"),
    ("tensorrt", "engines for Jetson and datacenter GPUs", "tensorrt"),
    ("tensorrt-rtx", "engines without a GPU at hand", "rtx"),
    ("cuda-python", "running engines", "tensorrt"),
)


@click.command("doctor")
@json_option
def command(as_json: bool) -> None:
    """Say what this machine can do, and why.

    \b
    trm-edge doctor
    trm-edge doctor --json
    """
    findings = examine()
    if as_json:
        click.echo(json.dumps(findings, indent=2))
        return
    console = Console(highlight=False, soft_wrap=True)
    for name in ("trm-edge", "python", "system", "processor", "cores", "gpu"):
        console.print(f"[bold]{name:<10}[/bold] {findings[name]}")
    table = Table("package", "version", "for", "extra")
    for package in findings["packages"]:  # type: ignore[attr-defined]
        version = package["version"] or "not installed"
        extra = package["extra"]
        source = "comes along" if extra == "base" else rf"\[{extra}]"
        table.add_row(package["name"], version, package["for"], source)
    console.print(table)
    for ability, (able, reason) in findings["abilities"].items():  # type: ignore[attr-defined]
        console.print(f"{'yes' if able else 'no ':<4} {ability}: {reason}")


def examine(find_gpu: Callable[[], DriverState] | None = None) -> dict[str, object]:
    """What was found, ready to be printed as JSON."""
    versions = {name: _version(name) for name, _, _ in _PACKAGES}
    versions["cuda-bindings"] = _version("cuda-bindings")  # what cuda-python brings
    driver = (find_gpu or probe)()
    exporting = [name for name in ("torch", "onnx", "nvidia-modelopt") if not versions[name]]
    providers = _providers()
    return {
        "trm-edge": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "processor": cpu_name(),
        "cores": os.cpu_count(),
        "gpu": str(driver),
        "packages": [
            {"name": name, "version": versions[name], "for": purpose, "extra": extra}
            for name, purpose, extra in _PACKAGES
        ],
        "abilities": {
            "solve on the CPU": (
                "CPUExecutionProvider" in providers,
                f"ONNX Runtime has {', '.join(providers) or 'no provider'}",
            ),
            "export": (
                not exporting,
                f"missing {', '.join(exporting)}" if exporting else "all packages are there",
            ),
            **_on_gpu(driver, versions, providers),
        },
    }


def _on_gpu(
    driver: DriverState, versions: dict[str, str | None], providers: list[str]
) -> dict[str, tuple[bool, str]]:
    """What can be built and run on a GPU, each with the first thing that is missing."""
    compilers = [name for name in ("tensorrt", "tensorrt-rtx") if versions[name]]
    names = " and ".join(f"{name} {versions[name]}" for name in compilers)
    missing = "neither tensorrt nor tensorrt-rtx is installed"
    no_gpu = driver.problem
    cuda = "CUDAExecutionProvider"
    bindings = versions["cuda-python"] or versions["cuda-bindings"]
    return {
        "build engines for this machine's GPU": (
            bool(driver.gpus and compilers),
            no_gpu or (names or missing),
        ),
        "try whether a graph compiles, without a GPU": (
            bool(versions["tensorrt-rtx"]),
            f"tensorrt-rtx {versions['tensorrt-rtx']}"
            if versions["tensorrt-rtx"]
            else "tensorrt-rtx is not installed",
        ),
        "run engines": (
            bool(driver.gpus and compilers and bindings),
            no_gpu or (missing if not compilers else names if bindings else "no cuda-python"),
        ),
        "run graphs by ONNX Runtime on a GPU": (
            bool(driver.gpus) and cuda in providers,
            no_gpu or (cuda if cuda in providers else f"ONNX Runtime has no {cuda}"),
        ),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _providers() -> list[str]:
    try:
        import onnxruntime
    except ImportError:
        return []
    providers: list[str] = onnxruntime.get_available_providers()
    return providers
