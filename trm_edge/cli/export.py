"""``trm-edge export``."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click
from rich.console import Console
from rich.table import Table

from trm_edge.bundle import Bundle
from trm_edge.bundle_writer import check_output
from trm_edge.errors import MissingExtraError
from trm_edge.profile import Precision
from trm_edge.progress import progress_bars
from trm_edge.reference import reference_checkpoint
from trm_edge.targets.profiles import load_profile
from trm_edge.tasks import task_for, task_named


@click.command("export")
@click.argument("checkpoint", required=False, type=click.Path(path_type=Path))
@click.option("--int8", is_flag=True, help="INT8 weights and activations, calibrated.")
@click.option("--fp8", is_flag=True, help="FP8 (E4M3) weights and activations, calibrated.")
@click.option("--int4", is_flag=True, help="INT4 weights in blocks of 32; the rest in float32.")
@click.option("--weight-only", is_flag=True, help="With --int8: INT8 weights, the rest in float32.")
@click.option("--fp16", is_flag=True, help="Half precision; norms and heads stay float32.")
@click.option("--fp32", is_flag=True, help="As the checkpoint computes in float32.")
@click.option(
    "--target", "targets", multiple=True, metavar="NAME", help="Device; repeatable. [cpu]"
)
@click.option("--task", metavar="NAME", help="Told from the model's shape by default.")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="all_config.yaml of the run; by default beside the checkpoint.",
)
@click.option(
    "--dataset",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The run's dataset.json or dataset folder, whose test split parity is measured on.",
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path, exists=True),
    metavar="PUZZLES",
    help="Puzzles to calibrate on: a text or CSV file, or a dataset folder.",
)
@click.option(
    "--calibration-cache",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Reuse this calibration.json; where it is not there, calibrate and keep it.",
)
@click.option(
    "--max-drop",
    type=click.FloatRange(0, 100),
    metavar="POINTS",
    help="Return the worst layers to float until no more exact match is lost, by its 95 % bound "
    "on up to 2,000 held-out puzzles. Without it nothing is returned.",
)
@click.option(
    "--qat",
    type=click.IntRange(min=1),
    metavar="STEPS",
    help="Fine-tune for so many steps with quantization in place, on all --calibration puzzles. "
    "Interrupted, the same command goes on where it stopped.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="BUNDLE", help="Output.")
@click.option(
    "--triton",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Also add the bundle to this model repository of Triton Inference Server.",
)
@click.option(
    "--float32/--no-float32",
    "float32",
    default=True,
    help="Keep the float32 graph in the bundle, too: bench and regress time steps against it.",
)
@click.option(
    "--sensitivity",
    is_flag=True,
    help="Quantize each layer alone, too, and keep what that does: trm-edge report draws it.",
)
@click.option("--force", is_flag=True, help="Replace an existing bundle.")
def command(
    checkpoint: Path | None,
    int8: bool,
    fp8: bool,
    int4: bool,
    weight_only: bool,
    fp16: bool,
    fp32: bool,
    targets: tuple[str, ...],
    task: str | None,
    config: Path | None,
    dataset: Path | None,
    calibration: Path | None,
    calibration_cache: Path | None,
    max_drop: float | None,
    qat: int | None,
    output: Path | None,
    triton: Path | None,
    float32: bool,
    sensitivity: bool,
    force: bool,
) -> None:
    """Turn a trained checkpoint into a bundle.

    CHECKPOINT is a step_N file of the published trainer, or its folder. Without one, a small model
    that comes with trm-edge is taken: sudoku, or with --task maze the one for mazes.

    \b
    trm-edge export --int8 -o my-bundle
    trm-edge export --task maze --fp8 -o mazes
    trm-edge export runs/maze/step_50000 --dataset data/maze-30x30 --int8 -o maze
    trm-edge export --int8 --target l4 --triton model_repository
    """
    flags = {"int8": int8, "fp8": fp8, "int4": int4, "fp16": fp16, "fp32": fp32}
    asked = [name for name, given in flags.items() if given]
    if len(asked) != 1:
        got = " and ".join(f"--{name}" for name in asked) or "none"
        raise click.UsageError(
            f"Pass exactly one of {', '.join(f'--{name}' for name in flags)}; got {got}."
        )
    if weight_only and not (int8 or int4):
        raise click.UsageError(f"--weight-only goes with --int8 or --int4; got --{asked[0]}.")
    quantized = {
        "calibration-cache": calibration_cache,
        "max-drop": max_drop,
        "qat": qat,
        "sensitivity": sensitivity or None,
    }
    useless = [f"--{name}" for name, value in quantized.items() if value is not None]
    if useless and (fp16 or fp32):
        raise click.UsageError(
            f"{', '.join(useless)} goes with a quantized precision; got --{asked[0]}."
        )
    if qat and calibration_cache:
        raise click.UsageError(
            "--calibration-cache cannot go with --qat: fine-tuned weights need a calibration of "
            "their own."
        )
    precision = cast(
        Precision, "int4-weight-only" if int4 else "int8-weight-only" if weight_only else asked[0]
    )
    profiles = tuple(load_profile(name) for name in dict.fromkeys(targets or ("cpu",)))
    for profile in profiles:
        profile.require(precision)
    given = checkpoint or (reference_checkpoint(task) if task else reference_checkpoint())
    output = output or Path(f"{(given if given.is_dir() else given.parent).name}-{precision}")
    check_output(output, force=force)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if checkpoint is None:
        console.print(f"No checkpoint given: taking the small {given.name} model that comes along.")
    for profile in profiles:
        if precision in profile.correctness_only:
            console.print(f"Note: {precision} on {profile.name} is for correctness, not for speed.")
    try:
        from trm_edge.export.checkpoint import load_checkpoint
        from trm_edge.targets.export_bundle import export_bundle
        from trm_edge.targets.request import ExportRequest
        from trm_edge.targets.triton_repository import check_triton_output, write_triton_repository
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", "export", "Exporting") from error
    loaded = load_checkpoint(given, config, dataset)
    if loaded.averaged is False:
        console.print(
            "Warning: the run's configuration has ema: false, so these weights are not averaged. "
            "They load just as well and are reported to solve far less (3 % against 42 %)."
        )
    puzzles = task_named(task, loaded.config) if task else task_for(loaded.config)
    console.print(
        f"Checkpoint {loaded.path.name}: task {puzzles.name}, "
        f"{sum(p.numel() for p in loaded.model.parameters()) / 1e6:.2f} M parameters"
    )
    if triton:
        check_triton_output(triton, puzzles.name, force=force)
    qat_state = output.parent / f"{output.name}.qat"
    request = ExportRequest(
        checkpoint=loaded,
        task=puzzles,
        precision=precision,
        targets=profiles,
        dataset=dataset,
        calibration=calibration,
        calibration_cache=calibration_cache,
        max_drop=max_drop,
        qat_steps=qat or 0,
        qat_state=qat_state if qat else None,
        float32=float32,
        sensitivity=sensitivity,
    )
    try:
        with progress_bars() as track:
            bundle = export_bundle(
                request,
                output,
                force=force,
                track=track,
            )
    except KeyboardInterrupt:
        if qat and qat_state.exists():
            console.print(f"Fine-tuning is kept in {qat_state}; the same command goes on with it.")
        raise
    if qat:
        qat_state.unlink(missing_ok=True)
    _summarise(bundle)
    if triton:
        click.echo(f"Wrote {write_triton_repository(bundle, triton, force=force)} for Triton")


def _summarise(bundle: Bundle) -> None:
    _show_float_layers(bundle)
    click.echo(f"Wrote {bundle.path}")
    for name, target in bundle.manifest.targets.items():
        size = bundle.manifest.files[target.step].size
        share = size / bundle.manifest.checkpoint.parameters
        click.echo(
            f"  {name}: {target.precision}, {target.step}, {size / 1e3:.0f} kB "
            f"({share:.2f} bytes a parameter)"
        )
    click.echo(f"Next: trm-edge solve {bundle.path}   or   trm-edge parity {bundle.path}")


def _show_float_layers(bundle: Bundle) -> None:
    """What was returned to float, and why; that the heads are goes without saying."""
    _, target = bundle.target()
    table = Table("left in float", "why")
    for layer in target.float_layers:
        if layer.layer not in ("lm_head", "q_head"):
            table.add_row(layer.layer, layer.reason)
    if table.row_count:
        Console(highlight=False).print(table)
