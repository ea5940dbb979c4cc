"""``trm-edge targets``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click

from trm_edge import records
from trm_edge.cli.console import plain_console
from trm_edge.cli.options import json_option
from trm_edge.printable import printable
from trm_edge.profile import TargetProfile

FORMAT = records.Format("trm-edge.targets", 1)
_MIN_WIDTH = 100  # a truncated target name cannot be used

_ENGINES = {"tensorrt": "TensorRT", "onnxruntime": "ONNX Runtime"}
_INT8_RANGES = {
    "per_token": "per-token scales (dynamic)",
    "per_token_products": "per-token scales for SwiGLU products and attention's output, "
    "per-tensor ranges (static) otherwise",
    "per_layer": "per-tensor ranges (static), from calibration",
}


@dataclass(frozen=True)
class TargetList:
    """Output of ``trm-edge targets --json``.

    Args:
        targets: the profiles, sorted by name; one where a name was given.
    """

    targets: tuple[TargetProfile, ...]


@click.command("targets")
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List the target devices, or explain one.

    \b
    trm-edge targets
    trm-edge targets jetson-orin-nano
    """
    from trm_edge.targets.profiles import load_profile, profile_names

    names = [name] if name else profile_names()
    profiles = [load_profile(profile_name) for profile_name in names]
    if as_json:
        click.echo(records.encode(TargetList(tuple(profiles)), FORMAT), nl=False)
    elif name:
        _explain(profiles[0])
    else:
        _list(profiles)


def _list(profiles: Sequence[TargetProfile]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("target", "compute", "TensorRT", "precisions", "device"):
        table.add_column(column, no_wrap=True)
    for profile in profiles:
        versions = " to ".join(profile.tensorrt) if profile.engine == "tensorrt" else ""
        precisions = [name for name in profile.precisions if "weight-only" not in name]
        table.add_row(
            profile.name,
            profile.compute_capability or "CPU",
            versions,
            " ".join(precisions),
            profile.description.partition(",")[0],
        )
    console = plain_console()
    console.width = max(console.width, _MIN_WIDTH)
    console.print(table)
    click.echo("\ntrm-edge targets NAME explains a target.")


def _explain(profile: TargetProfile) -> None:
    fewest_slots, usual_slots, most_slots = profile.batch
    fast = [name for name in profile.precisions if name not in profile.correctness_only]
    _print_row("device", profile.description)
    _print_row("engine", _ENGINES[profile.engine])
    _print_row("precisions", ", ".join(fast))
    _print_row("for correctness", ", ".join(profile.correctness_only))
    _print_row("carry", f"{profile.carry}, as everything that is not quantized")
    _print_row("INT8 inputs", _INT8_RANGES[profile.int8_ranges])
    _print_row("graph", f"ONNX opset up to {profile.opset}")
    _print_row("slots", f"{fewest_slots} to {most_slots}, tuned for {usual_slots}")
    if profile.engine == "tensorrt":
        _explain_gpu(profile)


def _explain_gpu(profile: TargetProfile) -> None:
    sharing = " shared with the CPU" if profile.unified_memory else ""
    versions = " to ".join(profile.tensorrt)
    _print_row("compute", f"capability {profile.compute_capability}")
    _print_row("memory", f"{profile.memory_gb:g} GB{sharing}")
    _print_row("builder", f"workspace up to {profile.workspace_mb} MB")
    _print_row("TensorRT", f"{versions} ({profile.software})")
    _print_row("power modes", ", ".join(profile.power_modes))
    click.echo(f"\ntrm-edge export --int8 --target {profile.name} -o my-bundle   on any machine")


def _print_row(label: str, text: str) -> None:
    """Print a labelled line, unless it is empty."""
    if text:
        click.echo(f"{click.style(f'{label:<16}', bold=True)} {printable(text)}")
