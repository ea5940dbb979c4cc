"""``trm-edge export``."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click
from rich.console import Console

from trm_edge.bundle import Bundle, check_output
from trm_edge.errors import MissingExtraError
from trm_edge.manifest import Limits
from trm_edge.progress import progress_bars
from trm_edge.reference import reference_checkpoint
from trm_edge.targets.profile import Precision, load_profile
from trm_edge.tasks import task_for, task_named


@click.command("export")
@click.argument("checkpoint", required=False, type=click.Path(path_type=Path))
@click.option("--int8", is_flag=True, help="INT8 weights and activations, calibrated.")
@click.option("--fp8", is_flag=True, help="FP8 (E4M3) weights and activations, calibrated.")
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
    "--max-drop",
    type=click.FloatRange(0, 100),
    default=Limits().max_drop,
    show_default=True,
    metavar="POINTS",
    help="Exact match that the bundle may lose; `trm-edge parity` holds it to this.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="BUNDLE", help="Output.")
@click.option("--force", is_flag=True, help="Replace an existing bundle.")
def command(
    checkpoint: Path | None,
    int8: bool,
    fp8: bool,
    fp16: bool,
    fp32: bool,
    targets: tuple[str, ...],
    task: str | None,
    config: Path | None,
    dataset: Path | None,
    calibration: Path | None,
    max_drop: float,
    output: Path | None,
    force: bool,
) -> None:
    """Turn a trained checkpoint into a bundle.

    CHECKPOINT is a step_N file of the published trainer, or its folder. Without one, the small
    Sudoku model that comes with trm-edge is taken.

    \b
    trm-edge export --int8 -o my-bundle
    trm-edge export runs/maze/step_50000 --dataset data/maze-30x30 --int8 -o maze
    """
    flags = {"int8": int8, "fp8": fp8, "fp16": fp16, "fp32": fp32}
    asked = [name for name, given in flags.items() if given]
    if len(asked) != 1:
        got = " and ".join(f"--{name}" for name in asked) or "none"
        raise click.UsageError(
            f"Pass exactly one of {', '.join(f'--{name}' for name in flags)}; got {got}."
        )
    precision = cast(Precision, asked[0])
    profiles = tuple(load_profile(name) for name in dict.fromkeys(targets or ("cpu",)))
    for profile in profiles:
        profile.require(precision)
    given = checkpoint or reference_checkpoint()
    output = output or Path(f"{(given if given.is_dir() else given.parent).name}-{precision}")
    check_output(output, force=force)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if checkpoint is None:
        console.print("No checkpoint given: taking the small Sudoku model that comes along.")
    for profile in profiles:
        if precision in profile.correctness_only:
            console.print(f"Note: {precision} on {profile.name} is for correctness, not for speed.")
    try:
        from trm_edge.export.checkpoint import load_checkpoint
        from trm_edge.targets.export_bundle import ExportRequest, export_bundle
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
    request = ExportRequest(
        checkpoint=loaded,
        task=puzzles,
        precision=precision,
        targets=profiles,
        dataset=dataset,
        calibration=calibration,
        limits=Limits(max_drop=max_drop),
    )
    with progress_bars() as track:
        bundle = export_bundle(
            request,
            output,
            force=force,
            track=track,
            say=lambda text: console.print(f"  {text}"),
        )
    _summarise(bundle)


def _summarise(bundle: Bundle) -> None:
    click.echo(f"Wrote {bundle.path}")
    for name, target in bundle.manifest.targets.items():
        size = bundle.manifest.files[target.step].size
        share = size / bundle.manifest.checkpoint.parameters
        click.echo(
            f"  {name}: {target.precision}, {target.step}, {size / 1e3:.0f} kB "
            f"({share:.2f} bytes a parameter)"
        )
    click.echo(f"Next: trm-edge solve {bundle.path}   or   trm-edge parity {bundle.path}")
