"""Print what ``trm-edge export`` wrote."""

from __future__ import annotations

from importlib.util import find_spec

from rich.console import Console

from trm_edge.bundle import Bundle
from trm_edge.cli.accuracy_output import print_accuracy
from trm_edge.cli.command import is_quiet
from trm_edge.cli.console import echo, stdout_console
from trm_edge.cli.tables import Column, DataTable, print_text
from trm_edge.compiler_choice import device_commands

_HEADS = ("lm_head", "q_head")


def print_summary(bundle: Bundle) -> None:
    """Print a bundle's targets, their sizes, accuracy and layers left in float, to stdout.

    Args:
        bundle: the bundle that was written.
    """
    console = stdout_console()
    _print_float_layers(bundle, console)
    print_text(console, f"Wrote {bundle.path}")
    manifest = bundle.manifest
    table = DataTable(
        [
            Column("target", align="left"),
            Column("precision", align="left"),
            Column("step graph", align="left"),
            Column("kB"),
            Column("bytes a parameter"),
        ]
    )
    for name, target in manifest.targets.items():
        size = manifest.files[target.step].size
        bytes_per_parameter = size / manifest.checkpoint.parameters
        table.add(
            name, target.precision, target.step, f"{size / 1e3:.0f}", f"{bytes_per_parameter:.2f}"
        )
    table.print(console)
    print_accuracy(bundle)
    if not is_quiet():
        _print_next(bundle)


def _print_next(bundle: Bundle) -> None:
    """Print the commands to go on with, and those of each device that builds an engine."""
    target_option = _target_option(bundle)
    commands = ["solve", "parity"]
    if find_spec("plotly") is not None:
        commands.append("report")
    echo("Next:")
    for command in commands:
        echo(f"  trm-edge {command} {bundle.path}{target_option}")
    for name, target in bundle.manifest.targets.items():
        if target.profile is not None and target.profile.engine == "tensorrt":
            echo(f"On the {name}, where its engine is built:")
            for command in device_commands(bundle, name):
                echo(command)


def _target_option(bundle: Bundle) -> str:
    """The --target that the advised commands need, if any."""
    targets = list(bundle.manifest.targets)
    if "cpu" in targets or len(targets) == 1:
        return ""
    return f" --target {targets[0]}"


def _print_float_layers(bundle: Bundle, console: Console) -> None:
    """Print the layers that were returned to float, and why; all targets have the same."""
    table = DataTable(
        [
            Column("left in float", align="left"),
            Column("reason", align="left", wraps=True),
        ]
    )
    target = next(iter(bundle.manifest.targets.values()))
    for layer in target.float_layers:
        if layer.layer not in _HEADS:
            table.add(layer.layer, layer.reason)
    if table.rows:
        table.print(console)
        console.print()
