"""Print what ``trm-edge export`` wrote."""

from __future__ import annotations

import click
from rich.table import Table

from trm_edge.bundle import Bundle
from trm_edge.cli.accuracy_output import print_accuracy
from trm_edge.cli.console import plain_console

_HEADS = ("lm_head", "q_head")


def print_summary(bundle: Bundle) -> None:
    """Print a bundle's targets, their sizes, accuracy and layers left in float, to stdout.

    Args:
        bundle: the bundle that was written.
    """
    _print_float_layers(bundle)
    click.echo(f"Wrote {bundle.path}")
    manifest = bundle.manifest
    for name, target in manifest.targets.items():
        size = manifest.files[target.step].size
        bytes_per_parameter = size / manifest.checkpoint.parameters
        click.echo(
            f"  {name}: {target.precision}, {target.step}, {size / 1e3:.0f} kB "
            f"({bytes_per_parameter:.2f} bytes per parameter)"
        )
    print_accuracy(bundle)
    target_option = _target_option(bundle)
    click.echo(
        f"Next: trm-edge solve {bundle.path}{target_option}   or   "
        f"trm-edge parity {bundle.path}{target_option}"
    )


def _target_option(bundle: Bundle) -> str:
    """The --target that the advised commands need, if any."""
    targets = list(bundle.manifest.targets)
    if "cpu" in targets or len(targets) == 1:
        return ""
    return f" --target {targets[0]}"


def _print_float_layers(bundle: Bundle) -> None:
    """Print the layers that were returned to float, and why; all targets have the same."""
    table = Table("left in float", "reason")
    target = next(iter(bundle.manifest.targets.values()))
    for layer in target.float_layers:
        if layer.layer not in _HEADS:
            table.add_row(layer.layer, layer.reason)
    if table.row_count:
        plain_console().print(table)
