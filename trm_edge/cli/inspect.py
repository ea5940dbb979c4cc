"""``trm-edge inspect``."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from trm_edge.bundle import MANIFEST, Bundle
from trm_edge.cli.options import bundle_argument, json_option, target_option
from trm_edge.engines.layers import EngineLayers, read_layers
from trm_edge.engines.record import ENGINE, LAYERS
from trm_edge.errors import EngineError
from trm_edge.loop.halting import HaltingRule
from trm_edge.manifest import SimulatedAccuracy
from trm_edge.step import step_inputs, step_outputs


@click.command("inspect")
@bundle_argument
@click.option("--layers", is_flag=True, help="What became of each layer in a target's engine.")
@target_option
@json_option
def command(bundle: Path, layers: bool, target: str | None, as_json: bool) -> None:
    """Say what is in a bundle, after checking every file's hash.

    \b
    trm-edge inspect my-bundle
    trm-edge inspect my-bundle --json | jq .targets.cpu.precision
    trm-edge inspect my-bundle --layers --target jetson-orin-nano
    """
    opened = Bundle.open(bundle)
    manifest = opened.manifest
    if layers:
        text = _layer_information(opened, target)
        if as_json:
            click.echo(text)
        else:
            _print_layers(read_layers(text))
        return
    if as_json:
        click.echo((bundle / MANIFEST).read_text(encoding="utf-8"), nl=False)
        return
    console = Console(highlight=False, soft_wrap=True)
    model, checkpoint = manifest.model, manifest.checkpoint
    mixing = "MLP over positions" if model.mlp_t else f"attention, {model.num_heads} heads"
    rows = {
        "task": manifest.task,
        "model": (
            f"{checkpoint.parameters / 1e6:.2f} M parameters, D {model.hidden_size}, "
            f"{model.L_layers} blocks, {mixing}, positions {model.pos_encodings}"
        ),
        "one step": (
            f"H {model.H_cycles} x (L {model.L_cycles} + 1) = {model.network_passes} passes of the "
            f"network over {model.prefix_len} + {model.seq_len} positions"
        ),
        "halting": str(HaltingRule.from_config(model)),
        "checkpoint": f"{checkpoint.name}, {checkpoint.weight_type}, sha256 {checkpoint.sha256}",
        "averaged": {True: "yes", False: "no", None: "not known"}[checkpoint.averaged],
        "limits": (
            f"at most {manifest.limits.max_drop} points of exact match lost, at least "
            f"{100 * manifest.limits.min_halting_agreement:.0f} % stop at the same step"
        ),
        "made with": ", ".join(f"{name} {version}" for name, version in manifest.tools.items()),
    }
    for name, text in rows.items():
        console.print(f"[bold]{name:<11}[/bold] {text}")
    calibration = opened.calibration()
    if calibration:
        seen, recipe = calibration.coverage, calibration.recipe
        scales = {
            "per_token": "per token",
            "per_token_products": "per layer, of products per token",
            "per_layer": f"per layer by {recipe['method']}",
            "per_call_site": f"per call site by {recipe['method']}",
            "float": "none, inputs stay in float",
        }[recipe["activations"]]
        console.print(
            f"[bold]{'calibrated':<11}[/bold] {seen.carries} carries of {seen.puzzles} "
            f"puzzles ({calibration.source}), ranges {scales}"
        )
    columns = ["target", "precision", "carry", "opset", "step graph", "left in float"]
    simulated = any(entry.simulated for entry in manifest.targets.values())
    table = Table(*columns, *(["simulated accuracy"] if simulated else []))
    for name, entry in manifest.targets.items():
        in_float = ", ".join(layer.layer for layer in entry.float_layers) or "everything"
        size = manifest.files[entry.step].size
        table.add_row(
            name,
            entry.precision,
            entry.carry,
            str(entry.opset),
            f"{entry.step}, {size / 1e3:.0f} kB",
            in_float,
            *([_simulated(entry.simulated)] if simulated else []),
        )
    console.print(table)
    if simulated:
        console.print(
            "Simulated accuracy: the same quantization computed in float32 on held-out puzzles. "
            "Exact match in fixed and adaptive mode (points lost), same halting step."
        )
    _, record = opened.target()
    for title, specs in (
        ("in", step_inputs(model, record.carry)),
        ("out", step_outputs(model, record.carry)),
    ):
        console.print(f"[bold]{title:<11}[/bold] " + "; ".join(map(str, specs)), markup=True)


def _simulated(accuracy: SimulatedAccuracy | None) -> str:
    if accuracy is None:
        return ""
    return (
        f"{100 * accuracy.exact_fixed:.1f} % ({accuracy.drop_fixed:+.2f}), "
        f"{100 * accuracy.exact_adaptive:.1f} % ({accuracy.drop_adaptive:+.2f}), "
        f"{100 * accuracy.halting_agreement:.0f} %"
    )


def _layer_information(bundle: Bundle, target: str | None) -> str:
    """The inspector's JSON, kept when the engine was built.

    Raises:
        EngineError: it was not; says why and what to do.
    """
    name, record = bundle.target(target)
    folder = (bundle.path / record.step).parent
    if (folder / LAYERS).exists():
        return (folder / LAYERS).read_text(encoding="utf-8")
    if (folder / ENGINE).exists():
        raise EngineError(
            f"{folder / ENGINE} was compiled where there is no GPU, and only a GPU's runtime opens "
            f"an engine to look inside. Build it there: trm-edge build {bundle.path} "
            f"--target {name}"
        )
    raise EngineError(
        f"{name} has no engine yet. Build one on its device with: trm-edge build {bundle.path} "
        f"--target {name}"
    )


def _print_layers(engine: EngineLayers) -> None:
    console = Console(highlight=False, soft_wrap=True)
    table = Table("layer", "inputs of its call sites")
    for name, kinds in sorted(engine.products().items()):
        table.add_row(name, ", ".join(f"{kind} x {count}" for kind, count in kinds.most_common()))
    console.print(table)
    console.print(
        f"{len(engine.layers)} layers; {engine.reformats} of them only reformat, "
        f"{engine.conversions} are Q/DQ that were not fused into a product"
    )
    for layer in engine.layers:
        if layer.reformats or layer.converts:
            console.print(f"  {layer.kind}: {layer.name}", markup=False)
