"""``trm-edge inspect``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from trm_edge import records
from trm_edge.bundle import Bundle
from trm_edge.calibration_record import CalibrationRecord
from trm_edge.cli.command import Command
from trm_edge.cli.console import stdout_console
from trm_edge.cli.layer_output import LAYERS_FORMAT, layers_file, print_layers
from trm_edge.cli.options import bundle_argument, json_option, target_option, wide_option
from trm_edge.cli.table_output import describe_table, verify_bundle
from trm_edge.cli.tables import Column, DataTable, print_fields, print_terms
from trm_edge.cli.wrapping import JOINED
from trm_edge.engines.layers import load_layers
from trm_edge.loop.halting import HaltingRule
from trm_edge.manifest import (
    CPU,
    CheckpointRecord,
    Limits,
    Manifest,
    SimulatedAccuracy,
    TargetRecord,
)
from trm_edge.step import step_inputs, step_outputs

_SIMULATED_TERMS = (
    "Simulated: the same quantization computed in float32 on held-out puzzles. Points lost are "
    "negative where more puzzles are solved than in float32."
)
_DIGEST = 12  # digits of a hash that tell files apart; --wide and --json show all
_RANGES = {  # description of a recipe's activations; {method} takes ranges in advance
    "per_token": "per token (dynamic)",
    "per_token_products": "per tensor by {method} (static), per token behind no norm (dynamic)",
    "per_layer": "per tensor by {method} (static)",
    "per_call_site": "per call site by {method} (static)",
    "float": "none, inputs stay in float",
}


@click.command("inspect", cls=Command)
@bundle_argument
@click.option(
    "--layers",
    is_flag=True,
    help="Show the types that each layer has in the engine of a target.",
)
@click.option(
    "--verify",
    is_flag=True,
    help="Hash every file first, however large, and check the names of the rows; exit 1 names the "
    "first wrong file.",
)
@target_option
@wide_option
@json_option
def command(
    bundle: Path, layers: bool, verify: bool, target: str | None, wide: bool, as_json: bool
) -> None:
    """Show the contents of a bundle, after checking the hash of every file.

    Of a puzzle-embedding table, or the names of its rows, of more than 64 MiB the size and shape
    are checked. With --verify their hashes are checked as well.

    \b
    trm-edge inspect my-bundle
    trm-edge inspect my-bundle --verify
    trm-edge inspect my-bundle --json | jq .targets.cpu.precision
    trm-edge inspect my-bundle --layers --target jetson-orin-nano
    """
    opened = Bundle.open(bundle)
    if verify:
        verify_bundle(opened)
    if layers:
        engine_layers = load_layers(layers_file(opened, target))
        if as_json:
            click.echo(records.encode(engine_layers, LAYERS_FORMAT), nl=False)
        else:
            print_layers(engine_layers)
    elif as_json:
        click.echo(opened.manifest.to_json(), nl=False)
    else:
        _print_bundle(opened, wide=wide)


def _print_bundle(bundle: Bundle, *, wide: bool) -> None:
    manifest = bundle.manifest
    console = stdout_console()
    fields = _model_fields(manifest, wide=wide)
    calibration = bundle.calibration()
    if calibration is not None:
        fields["calibrated"] = _calibration(calibration)
    table = describe_table(bundle)
    if table:
        fields["puzzle rows"] = table
    fields |= _tensors(manifest)
    print_fields(console, fields)
    console.print()
    _targets(manifest).print(console, wide=wide)
    simulated = _simulated_accuracy(manifest)
    if simulated.rows:
        console.print()
        simulated.print(console, wide=wide)
        print_terms(console, _SIMULATED_TERMS)


def _model_fields(manifest: Manifest, *, wide: bool) -> dict[str, str]:
    model = manifest.model
    mixing = f"attention, {model.num_heads} heads"
    if model.mlp_t:
        mixing = "MLP over positions"
    tools = [f"{name} {version}" for name, version in manifest.tools.items()]
    return {
        "task": manifest.task,
        "model": (
            f"{manifest.checkpoint.parameters / 1e6:.2f} M parameters, D {model.hidden_size}, "
            f"{model.L_layers} blocks, {mixing}, positions {model.pos_encodings}"
        ),
        "one step": (
            f"H {model.H_cycles} x (L {model.L_cycles} + 1) = {model.network_passes} passes of the "
            f"network over {model.prefix_len} + {model.seq_len} positions"
        ),
        "halting": str(HaltingRule.from_config(model)),
        "checkpoint": _checkpoint(manifest.checkpoint, wide=wide),
        "averaged": _averaged(manifest.checkpoint.averaged),
        "limits": _limits(manifest.limits),
        "made with": ", ".join(tools),
    }


def _checkpoint(checkpoint: CheckpointRecord, *, wide: bool) -> str:
    digest = checkpoint.sha256
    if not wide:
        digest = f"{digest[:_DIGEST]} (first {_DIGEST} digits)"
    text = f"{checkpoint.name}, {checkpoint.weight_type}, sha256 {digest}"
    hub = checkpoint.hub
    if hub is None:
        return text
    return f"{text}, from hf:{hub.repository}@{hub.commit}:{hub.file}"


def _averaged(averaged: bool | None) -> str:
    if averaged is None:
        return "not known"
    return "yes" if averaged else "no"


def _limits(limits: Limits) -> str:
    return (
        f"at most {limits.max_drop} points of exact match lost, at least "
        f"{100 * limits.min_halting_agreement:.0f} % stop at the same step"
    )


def _calibration(calibration: CalibrationRecord) -> str:
    coverage = calibration.coverage
    activations = calibration.activations
    ranges = _RANGES.get(activations, activations).format(method=calibration.range_method)
    return (
        f"{coverage.carries} carries of {coverage.puzzles} puzzles ({calibration.source}), "
        f"input ranges {ranges}"
    )


def _targets(manifest: Manifest) -> DataTable:
    """A table of the targets, one line each."""
    table = DataTable(
        [
            Column("target", align="left"),
            Column("precision", align="left"),
            Column("carry", align="left"),
            Column("opset"),
            Column("step graph", align="left", wide=True),
            Column("graph, kB"),
            Column("left in float", align="left", wraps=True),
        ]
    )
    for name, target in manifest.targets.items():
        table.add(
            name,
            target.precision,
            target.carry,
            str(target.opset),
            target.step,
            f"{manifest.files[target.step].size / 1e3:.0f}",
            _float_layers(target),
        )
    return table


def _simulated_accuracy(manifest: Manifest) -> DataTable:
    """A table of the targets whose quantization was computed in float32, one line each."""
    table = DataTable(
        [
            Column("simulated accuracy", align="left"),
            Column("exact match, fixed"),
            Column("points lost, fixed"),
            Column("exact match, adaptive"),
            Column("points lost, adaptive"),
            Column("same halting step"),
            Column("puzzles", wide=True),
            Column("points lost at most (95 %)", wide=True),
            Column("carry cosine, first step", wide=True),
            Column("carry cosine, last step", wide=True),
        ]
    )
    for name, target in manifest.targets.items():
        accuracy = target.simulated
        if accuracy is not None:
            table.add(
                name,
                *_simulated_mode(accuracy.exact_fixed, accuracy.drop_fixed, accuracy),
                *_simulated_mode(accuracy.exact_adaptive, accuracy.drop_adaptive, accuracy),
                f"{100 * accuracy.halting_agreement:.0f} %",
                str(accuracy.puzzles),
                f"{accuracy.drop_bound:+.2f}",
                f"{accuracy.carry_cosine_first:.4f}",
                f"{accuracy.carry_cosine_last:.4f}",
            )
    return table


def _simulated_mode(exact: float, drop: float, accuracy: SimulatedAccuracy) -> tuple[str, str]:
    """Exact match and points lost, or the share of float32's answers where none are known."""
    if not accuracy.labelled:
        return f"{100 * exact:.1f} % as float32", ""
    return f"{100 * exact:.1f} %", f"{drop:+.2f}"


def _tensors(manifest: Manifest) -> dict[str, str]:
    """Inputs and outputs of the step graph for the CPU, or for the first target."""
    first = next(iter(manifest.targets.values()))
    target = manifest.targets.get(CPU, first)
    inputs = step_inputs(manifest.model, target.carry, noise=target.noise)
    outputs = step_outputs(manifest.model, target.carry)
    return {
        "in": _shapes(inputs),
        "out": f"{_shapes(outputs)} (B: slots)",
    }


def _shapes(tensors: Iterable[object]) -> str:
    return "; ".join(str(tensor).replace(" ", JOINED) for tensor in tensors)


def _float_layers(target: TargetRecord) -> str:
    return ", ".join(layer.layer for layer in target.float_layers) or "everything"
