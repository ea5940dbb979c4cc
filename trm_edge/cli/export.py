"""``trm-edge export``."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trm_edge.bundle import MANIFEST, Bundle
from trm_edge.bundle_writer import BundleWriter
from trm_edge.cli.command import Command
from trm_edge.cli.export_options import ExportOptions, check_into, export_options
from trm_edge.cli.export_output import print_summary
from trm_edge.datasets.folder import SPLITS
from trm_edge.errors import CheckpointError, ConfigError, MissingExtraError
from trm_edge.files import check_writable, hash_file
from trm_edge.profile import Precision, TargetProfile
from trm_edge.progress import progress_bars
from trm_edge.reference import REFERENCES, reference_checkpoint
from trm_edge.tasks import task_for, task_named

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from trm_edge.export.checkpoint import Checkpoint
    from trm_edge.export.row_selection import Selection
    from trm_edge.targets.request import ExportRequest
    from trm_edge.tasks.base import Task


@click.command("export", cls=Command)
@export_options
@click.pass_context
def command(context: click.Context, /, **parameters: Any) -> None:
    """Export a trained checkpoint to a bundle.

    CHECKPOINT is a step_N file of the published trainer, its folder, or a name on a hub:
    hf:OWNER/NAME[@REVISION][:FILE]. Without one, a small bundled model is exported: that
    of --task sudoku, maze or arc.

    \b
    trm-edge export --int8 -o my-bundle
    trm-edge export --task maze --fp8 -o mazes
    trm-edge export runs/maze/step_50000 --dataset data/maze-30x30 --int8 -o maze
    trm-edge export --int8 --target l4 --triton model_repository
    trm-edge export hf:OWNER/NAME@main:step_50000 --int8
    trm-edge export runs/arc/step_155718 --int8 --identifiers tasks.json --int8-rows
    trm-edge export --into mazes --target l4
    """
    options = ExportOptions(**parameters)
    if options.into is not None:
        check_into(context)
        print_summary(_add_targets(options, options.into))
        return
    precision = options.precision
    profiles = _load_profiles(options.targets or ("cpu",))
    path = options.checkpoint or reference_checkpoint(options.task or REFERENCES[0])
    options = replace(options, dataset=options.dataset or _own_dataset(path))
    output = options.output or _default_output(path, precision)
    BundleWriter.check_output(output, force=options.force)
    check_writable(output / MANIFEST)
    selection = _selection(options.identifiers)
    checkpoint = _load_checkpoint(path, options)
    if selection is not None:
        checkpoint = _select_rows(checkpoint, selection)
    task = _task(options, checkpoint)
    logger.info(
        "Checkpoint %s: task %s, %.2f M parameters",
        checkpoint.path.name,
        task.name,
        checkpoint.parameters / 1e6,
    )
    _check_triton(options, task)
    request = _request(options, checkpoint, task, profiles, output)
    _note_correctness_only(profiles, precision)
    bundle = _export(request, output, force=options.force)
    print_summary(bundle)
    _write_triton(bundle, options)


def _own_dataset(checkpoint: Path) -> Path | None:
    """The folder of a run that is a dataset folder as well, as ``trm-edge adapt`` writes it."""
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
    for split in SPLITS:
        if any((folder / split).glob("*__inputs.npy")):
            return folder
    return None


def _default_output(checkpoint: Path, precision: Precision) -> Path:
    """The folder NAME-PRECISION, after the folder of the weights wherever the command runs."""
    with _export_extra():
        from trm_edge.export.hub_name import HubName, is_hub_name

    if is_hub_name(checkpoint):
        repository = HubName.parse(checkpoint.as_posix()).repository
        return Path(f"{repository.partition('/')[2]}-{precision}")
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
    name = folder.resolve().name.lstrip("-.") or "model"
    return Path(f"{name}-{precision}")


@contextmanager
def _export_extra() -> Iterator[None]:
    """Name the extra that brings a missing package."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", "export", "Exporting") from error


def _load_profiles(names: Sequence[str]) -> tuple[TargetProfile, ...]:
    from trm_edge.targets.profiles import load_profile

    distinct = dict.fromkeys(names)
    return tuple(load_profile(name) for name in distinct)


def _load_checkpoint(path: Path, options: ExportOptions) -> Checkpoint:
    with _export_extra():
        from trm_edge.export.checkpoint import load_checkpoint

    if options.checkpoint is None:
        logger.info("No checkpoint given; using the bundled %s model.", path.name.capitalize())
    checkpoint = load_checkpoint(path, options.config, options.dataset)
    if checkpoint.averaged is False:
        logger.warning(
            "these weights are not averaged: the run's configuration has ema: false, or its file "
            "holds no averaged ones. They load without complaint, but usually solve far fewer "
            "puzzles."
        )
    return checkpoint


def _selection(source: Path | None) -> Selection | None:
    """Read which tasks rows are needed for, before anything large is loaded."""
    if source is None:
        return None
    with _export_extra():
        from trm_edge.export.row_selection import read_selection

    return read_selection(source)


def _select_rows(checkpoint: Checkpoint, selection: Selection) -> Checkpoint:
    from trm_edge.export.row_selection import select_rows

    return select_rows(checkpoint, selection)


def _task(options: ExportOptions, checkpoint: Checkpoint) -> Task:
    """The named task, or the one that the model's shape and the dataset's puzzles show."""
    if options.task is not None:
        return task_named(options.task, checkpoint.config)
    from trm_edge.targets.puzzle_sources import sample_puzzles

    folders = (options.dataset, options.held_out, options.calibration)
    return task_for(checkpoint.config, sample_puzzles(checkpoint.config, folders))


def _request(
    options: ExportOptions,
    checkpoint: Checkpoint,
    task: Task,
    profiles: tuple[TargetProfile, ...],
    output: Path,
) -> ExportRequest:
    """The request; what does not go together is misuse of the command."""
    with _export_extra():
        from trm_edge.targets.request import ExportRequest, require_quantized

    qat_state = None
    if options.qat:
        qat_state = output.parent / f"{output.name}.qat"
    try:
        if options.recipe is not None:
            require_quantized(options.precision, ["--recipe"])
        request = ExportRequest(
            checkpoint=checkpoint,
            task=task,
            precision=options.precision,
            targets=profiles,
            dataset=options.dataset,
            calibration=options.calibration,
            calibration_puzzles=options.calibration_puzzles,
            held_out=options.held_out,
            held_out_seed=options.held_out_seed,
            calibration_cache=options.calibration_cache,
            max_drop=options.max_drop,
            qat_steps=options.qat or 0,
            qat_state=qat_state,
            float32=options.float32,
            sensitivity=options.sensitivity,
            noise=options.noise,
            row_type="int8" if options.int8_rows else "float32",
        )
        return _with_recipe(request, options.recipe)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error


def _with_recipe(request: ExportRequest, path: Path | None) -> ExportRequest:
    """The request with the settings of a recipe file in place of the defaults."""
    qtype = request.qtype
    if path is None or qtype is None:
        return request
    from trm_edge.calibration.recipe_file import read_recipe

    return replace(request, recipe=read_recipe(path, qtype, request.calibration_recipe(qtype)))


def _note_correctness_only(profiles: Sequence[TargetProfile], precision: Precision) -> None:
    for profile in profiles:
        if precision in profile.correctness_only:
            logger.info(
                "Note: %s on %s is for checking correctness, not for speed.",
                precision,
                profile.name,
            )


def _export(request: ExportRequest, output: Path, *, force: bool) -> Bundle:
    with _export_extra():
        from trm_edge.targets.export_bundle import export_bundle

    state = request.qat_state
    try:
        with progress_bars() as track:
            bundle = export_bundle(request, output, force=force, track=track)
    except KeyboardInterrupt:
        if state is not None and state.exists():
            click.echo(
                f"The fine-tuning so far is in {state}; the same command continues it.", err=True
            )
        raise
    if state is not None:
        state.unlink(missing_ok=True)
    return bundle


def _check_triton(options: ExportOptions, task: Task) -> None:
    if options.triton is None:
        return
    from trm_edge.targets.triton_repository import check_triton_output

    check_triton_output(options.triton, task.name, force=options.force)


def _write_triton(bundle: Bundle, options: ExportOptions) -> None:
    if options.triton is None:
        return
    from trm_edge.targets.triton_repository import write_triton_repository

    target = None if "cpu" in bundle.manifest.targets else next(iter(bundle.manifest.targets))
    model = write_triton_repository(bundle, options.triton, target, force=options.force)
    click.echo(f"Wrote {model} for Triton")


def _add_targets(options: ExportOptions, folder: Path) -> Bundle:
    with _export_extra():
        from trm_edge.export.checkpoint import load_checkpoint
        from trm_edge.targets.add_target import add_targets

    bundle = Bundle.open(folder)
    profiles = _load_profiles(options.targets)
    path = options.checkpoint or _bundled_checkpoint(bundle)
    checkpoint = load_checkpoint(path, options.config, options.dataset)
    with progress_bars() as track:
        return add_targets(
            bundle,
            checkpoint,
            profiles,
            noise=options.noise,
            force=options.force,
            track=track,
        )


def _bundled_checkpoint(bundle: Bundle) -> Path:
    """The bundled model that a bundle was made from."""
    record = bundle.manifest.checkpoint
    for name in REFERENCES:
        for file in reference_checkpoint(name).glob("step_*"):
            if hash_file(file) == record.sha256:
                return file
    raise CheckpointError(
        f"{bundle.path} was not made from a bundled model. Pass its checkpoint {record.name} "
        f"(sha256 {record.sha256[:12]}…): trm-edge export CHECKPOINT --into {bundle.path} "
        "--target NAME"
    )
