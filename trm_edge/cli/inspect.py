"""``trm-edge inspect``."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from trm_edge import records
from trm_edge.bundle import Bundle
from trm_edge.calibration_record import CalibrationRecord
from trm_edge.cli.console import table_console
from trm_edge.cli.options import bundle_argument, json_option, target_option
from trm_edge.engines.layers import EngineLayers, load_layers
from trm_edge.engines.record import ENGINE, LAYERS
from trm_edge.errors import EngineError
from trm_edge.loop.halting import HaltingRule
from trm_edge.manifest import CheckpointRecord, Limits, Manifest, SimulatedAccuracy, TargetRecord
from trm_edge.records import Format
from trm_edge.step import step_inputs, step_outputs

LAYERS_FORMAT = Format("trm-edge.layers", 1)

_PIPE_WIDTH = 200  # columns of the widest table
_CPU = "cpu"  # the target that ONNX Runtime runs without an engine
_RANGES = {  # description of a recipe's activations; {method} takes ranges in advance
    "per_token": "per token (dynamic)",
    "per_token_products": "per tensor by {method} (static), per token behind no norm (dynamic)",
    "per_layer": "per tensor by {method} (static)",
    "per_call_site": "per call site by {method} (static)",
    "float": "none, inputs stay in float",
}


@click.command("inspect")
@bundle_argument
@click.option(
    "--layers",
    is_flag=True,
    help="Show the types that each layer has in the engine of a target.",
)
@target_option
@json_option
def command(bundle: Path, layers: bool, target: str | None, as_json: bool) -> None:
    """Show the contents of a bundle, after checking the hash of every file.

    \b
    trm-edge inspect my-bundle
    trm-edge inspect my-bundle --json | jq .targets.cpu.precision
    trm-edge inspect my-bundle --layers --target jetson-orin-nano
    """
    opened = Bundle.open(bundle)
    if layers:
        engine_layers = load_layers(_layers_file(opened, target))
        if as_json:
            click.echo(records.encode(engine_layers, LAYERS_FORMAT), nl=False)
        else:
            _print_layers(engine_layers)
    elif as_json:
        click.echo(opened.manifest.to_json(), nl=False)
    else:
        _print_bundle(opened)


def _print_bundle(bundle: Bundle) -> None:
    manifest = bundle.manifest
    console = table_console(_PIPE_WIDTH)
    _print_fields(console, _model_fields(manifest))
    calibration = bundle.calibration()
    if calibration is not None:
        _print_fields(console, {"calibrated": _calibration(calibration)})
    console.print(_targets(manifest))
    if _is_simulated(manifest):
        console.print(
            "Simulated accuracy: the same quantization computed in float32 on held-out puzzles. "
            "Exact match in fixed and adaptive mode (points lost), same halting step.",
            soft_wrap=True,
        )
    _print_fields(console, _tensors(manifest))


def _print_fields(console: Console, fields: dict[str, str]) -> None:
    for name, text in fields.items():
        console.print(f"{name:<11}", end=" ", style="bold")
        console.print(text, soft_wrap=True)


def _model_fields(manifest: Manifest) -> dict[str, str]:
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
        "checkpoint": _checkpoint(manifest.checkpoint),
        "averaged": _averaged(manifest.checkpoint.averaged),
        "limits": _limits(manifest.limits),
        "made with": ", ".join(tools),
    }


def _checkpoint(checkpoint: CheckpointRecord) -> str:
    return f"{checkpoint.name}, {checkpoint.weight_type}, sha256 {checkpoint.sha256}"


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


def _is_simulated(manifest: Manifest) -> bool:
    return any(target.simulated for target in manifest.targets.values())


def _targets(manifest: Manifest) -> Table:
    """A table of the targets, one line each."""
    table = Table()
    for column in ("target", "precision", "carry", "opset", "step graph", "left in float"):
        table.add_column(column, overflow="fold")
    simulated = _is_simulated(manifest)
    if simulated:
        table.add_column("simulated accuracy", overflow="fold")
    for name, target in manifest.targets.items():
        cells = [
            name,
            target.precision,
            target.carry,
            str(target.opset),
            f"{target.step}, {manifest.files[target.step].size / 1e3:.0f} kB",
            _float_layers(target),
        ]
        if simulated:
            cells.append(_simulated(target.simulated))
        table.add_row(*cells)
    return table


def _tensors(manifest: Manifest) -> dict[str, str]:
    """Inputs and outputs of the step graph for the CPU, or for the first target."""
    first = next(iter(manifest.targets.values()))
    carry = manifest.targets.get(_CPU, first).carry
    return {
        "in": "; ".join(map(str, step_inputs(manifest.model, carry))),
        "out": "; ".join(map(str, step_outputs(manifest.model, carry))),
    }


def _float_layers(target: TargetRecord) -> str:
    return ", ".join(layer.layer for layer in target.float_layers) or "everything"


def _simulated(accuracy: SimulatedAccuracy | None) -> str:
    if accuracy is None:
        return ""
    return (
        f"{100 * accuracy.exact_fixed:.1f} % ({accuracy.drop_fixed:+.2f}), "
        f"{100 * accuracy.exact_adaptive:.1f} % ({accuracy.drop_adaptive:+.2f}), "
        f"{100 * accuracy.halting_agreement:.0f} %"
    )


def _layers_file(bundle: Bundle, target: str | None) -> Path:
    """The inspector's JSON file, which was saved when the engine was built.

    Raises:
        EngineError: it was not; says why and what to do.
    """
    name, record = bundle.target(target)
    if _runs_without_engine(name, record):
        raise EngineError(_no_engine_layers(bundle, name))
    folder = (bundle.path / record.step).parent
    if (folder / LAYERS).exists():
        return folder / LAYERS
    build = f"trm-edge build {bundle.path} --target {name}"
    if (folder / ENGINE).exists():
        raise EngineError(
            f"{folder / ENGINE} was compiled on a machine without a GPU, and only a runtime on a "
            f"GPU can open an engine to list its layers. Build it on the device with: {build}"
        )
    raise EngineError(f"{name} has no engine yet. Build it on the device with: {build}")


def _runs_without_engine(name: str, target: TargetRecord) -> bool:
    if target.profile is None:
        return name == _CPU
    return target.profile.engine == "onnxruntime"


def _no_engine_layers(bundle: Bundle, name: str) -> str:
    message = (
        f"{name} has no engine: ONNX Runtime runs its step graph directly, so there are no engine "
        "layers to show."
    )
    with_engine = []
    for target, record in bundle.manifest.targets.items():
        if not _runs_without_engine(target, record):
            with_engine.append(target)
    if with_engine:
        return f"{message} Pass --target with one of: {', '.join(with_engine)}"
    return f"{message} The bundle has no target with an engine."


def _print_layers(engine: EngineLayers) -> None:
    console = table_console(_PIPE_WIDTH)
    table = Table()
    table.add_column("layer", overflow="fold")
    table.add_column("inputs of its call sites", overflow="fold")
    for name, types in sorted(engine.products().items()):
        counts = [f"{qtype} x {count}" for qtype, count in types.most_common()]
        table.add_row(name, ", ".join(counts))
    console.print(table)
    console.print(
        f"{len(engine.layers)} layers; {engine.reformats} of them only reformat, "
        f"{engine.conversions} are Q/DQ that were not fused into a product",
        soft_wrap=True,
    )
    for layer in engine.layers:
        if layer.reformats or layer.converts:
            console.print(f"  {layer.kind}: {layer.name}", markup=False, soft_wrap=True)
