"""Options of ``trm-edge export``, as one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import click
from click.core import ParameterSource

from trm_edge.cli.completion import complete_bundle, complete_task
from trm_edge.cli.options import FiniteRange
from trm_edge.cli.row_options import ROW_OPTIONS
from trm_edge.cli.targets import complete_target
from trm_edge.profile import Precision

F = TypeVar("F", bound=Callable[..., Any])

# Parameters that adding a target to a bundle leaves open.
_WITH_INTO = (
    "checkpoint",
    "into",
    "targets",
    "config",
    "dataset",
    "noise",
    "force",
    "quiet",
    "verbose",
)


@dataclass(frozen=True)
class ExportOptions:
    """Parameters of the command, under their names on the command line.

    Args:
        checkpoint: CHECKPOINT, a weight file, its folder, or a name on a hub.
        int8: --int8.
        fp8: --fp8.
        int4: --int4.
        weight_only: --weight-only.
        fp16: --fp16.
        fp32: --fp32.
        targets: every --target, in order.
        into: --into, a bundle to add targets to.
        task: --task.
        config: --config.
        dataset: --dataset.
        calibration: --calibration.
        calibration_puzzles: --calibration-puzzles.
        held_out: --held-out.
        held_out_seed: --held-out-seed.
        calibration_cache: --calibration-cache.
        recipe: --recipe.
        max_drop: --max-drop, in points.
        qat: --qat, in steps.
        sensitivity: --sensitivity.
        noise: --noise.
        float32: --float32 or --no-float32.
        identifiers: --identifiers, tasks whose puzzle embeddings are exported.
        int8_rows: --int8-rows.
        output: --output.
        triton: --triton.
        force: --force.
    """

    checkpoint: Path | None
    int8: bool
    fp8: bool
    int4: bool
    weight_only: bool
    fp16: bool
    fp32: bool
    targets: tuple[str, ...]
    into: Path | None
    task: str | None
    config: Path | None
    dataset: Path | None
    calibration: Path | None
    calibration_puzzles: int | None
    held_out: Path | None
    held_out_seed: int | None
    calibration_cache: Path | None
    recipe: Path | None
    max_drop: float | None
    qat: int | None
    sensitivity: bool
    noise: bool
    float32: bool
    identifiers: Path | None
    int8_rows: bool
    output: Path | None
    triton: Path | None
    force: bool

    @property
    def precision(self) -> Precision:
        """The one precision that was asked for.

        Raises:
            click.UsageError: none or several were, or --weight-only means nothing with it.
        """
        flags = {
            "int8": self.int8,
            "fp8": self.fp8,
            "int4": self.int4,
            "fp16": self.fp16,
            "fp32": self.fp32,
        }
        chosen = [name for name, is_set in flags.items() if is_set]
        if len(chosen) != 1:
            expected = ", ".join(f"--{name}" for name in flags)
            actual = " and ".join(f"--{name}" for name in chosen) or "none"
            raise click.UsageError(f"Pass exactly one of {expected}; got {actual}.")
        if self.weight_only and self.int4:
            raise click.UsageError("INT4 is always weight-only: leave out --weight-only.")
        if self.weight_only and not self.int8:
            raise click.UsageError(f"--weight-only goes with --int8; got --{chosen[0]}.")
        if self.weight_only or self.int4:
            return cast(Precision, f"{chosen[0]}-weight-only")
        return cast(Precision, chosen[0])


def check_into(context: click.Context) -> None:
    """Refuse options that the bundle of --into has already decided.

    Args:
        context: of the command.

    Raises:
        click.UsageError: names them, or says that --target is missing.
    """
    refused = []
    for parameter in context.command.params:
        name = parameter.name or ""
        from_user = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if from_user and name not in _WITH_INTO:
            refused.append(max(parameter.opts, key=len))
    if refused:
        raise click.UsageError(
            f"--into keeps the bundle's precision, calibration and everything else, so it does "
            f"not go with {', '.join(refused)}."
        )
    if not context.params["targets"]:
        raise click.UsageError("--into needs the target to add: pass --target NAME.")


def export_options(command: F) -> F:
    """Add the argument and options of ``trm-edge export``.

    Args:
        command: the function, which gets every field of :class:`ExportOptions`.
    """
    for parameter in reversed(_PARAMETERS):
        command = parameter(command)
    return command


_PATH = click.Path(path_type=Path)
_PARAMETERS: tuple[Callable[[Any], Any], ...] = (
    click.argument("checkpoint", required=False, type=_PATH),
    click.option("--int8", is_flag=True, help="INT8 weights and activations, calibrated."),
    click.option("--fp8", is_flag=True, help="FP8 (E4M3) weights and activations, calibrated."),
    click.option("--int4", is_flag=True, help="INT4 weights in blocks of 32; the rest in float32."),
    click.option(
        "--weight-only", is_flag=True, help="With --int8: INT8 weights, the rest in float32."
    ),
    click.option("--fp16", is_flag=True, help="Half precision; norms and heads stay in float32."),
    click.option("--fp32", is_flag=True, help="Single precision, as the checkpoint computes."),
    click.option(
        "--target",
        "targets",
        multiple=True,
        metavar="NAME",
        show_default="cpu",
        shell_complete=complete_target,
        help="Device to export for, or a .toml profile of your own; repeatable.",
    ),
    click.option(
        "--into",
        type=_PATH,
        metavar="BUNDLE",
        shell_complete=complete_bundle,
        help="Add the targets to this bundle instead, with its precision and calibration.",
    ),
    click.option(
        "--task",
        metavar="NAME",
        shell_complete=complete_task,
        show_default="detected from the model's shape",
        help="Task of the model. Without CHECKPOINT: the bundled model to export.",
    ),
    click.option(
        "--config",
        type=_PATH,
        metavar="FILE",
        show_default="beside the checkpoint",
        help="all_config.yaml of the run.",
    ),
    click.option(
        "--dataset",
        type=_PATH,
        metavar="PATH",
        show_default="beside the checkpoint",
        help="dataset.json of the run, or its dataset folder, whose test split is held out.",
    ),
    click.option(
        "--calibration",
        type=click.Path(path_type=Path, exists=True),
        metavar="PUZZLES",
        show_default="the dataset's train split, or bundled puzzles",
        help="Puzzles to calibrate on: a text or CSV file, or a dataset folder.",
    ),
    click.option(
        "--calibration-puzzles",
        type=click.IntRange(min=1),
        metavar="N",
        show_default="64",
        help="Calibrate on the first N of them.",
    ),
    click.option(
        "--held-out",
        type=click.Path(path_type=Path, exists=True),
        metavar="PUZZLES",
        show_default="the dataset's test split, or bundled puzzles",
        help="Puzzles with answers to measure accuracy on: a text or CSV file, or a dataset "
        "folder. They are never calibrated on.",
    ),
    click.option(
        "--held-out-seed",
        type=click.IntRange(min=0),
        metavar="N",
        help="Draw the held-out puzzles at random by this seed: from --held-out or the test split, "
        "else up to half of the --calibration puzzles.",
    ),
    click.option(
        "--calibration-cache",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Reuse this calibration.json; if it does not exist, calibrate and write it.",
    ),
    click.option(
        "--recipe",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        metavar="FILE",
        show_default="the precision's own",
        help="TOML file with settings of the calibration, for research.",
    ),
    click.option(
        "--max-drop",
        type=FiniteRange(0, 100),
        metavar="POINTS",
        help="Return the most sensitive layers to float until no more exact match is lost than "
        "this, by the 95 % bound on up to 2,000 held-out puzzles. By default all layers are "
        "quantized.",
    ),
    click.option(
        "--qat",
        type=click.IntRange(min=1),
        metavar="STEPS",
        help="Fine-tune for this many steps with quantization in place, on all --calibration "
        "puzzles. If it is interrupted, the same command continues it.",
    ),
    click.option(
        "--sensitivity",
        is_flag=True,
        help="Also measure the effect of quantizing each layer alone, for trm-edge report.",
    ),
    click.option(
        "--noise",
        is_flag=True,
        help="Let the graphs of GPU targets add noise by themselves, so that tries with solve "
        "--explore noise keep the carries on the GPU; costs 2 to 5 MB of the GPU's memory.",
    ),
    click.option(
        "--float32/--no-float32",
        default=True,
        show_default=True,
        help="Keep the float32 graph in the bundle: bench and regress time steps against it.",
    ),
    *ROW_OPTIONS,
    click.option(
        "-o",
        "--output",
        type=_PATH,
        metavar="BUNDLE",
        show_default="NAME-PRECISION, by the checkpoint's folder",
        help="Folder to write the bundle to.",
    ),
    click.option(
        "--triton",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Also add the bundle to this model repository of Triton Inference Server.",
    ),
    click.option(
        "--force", is_flag=True, help="Replace an existing bundle; with --into, a target of it."
    ),
)
