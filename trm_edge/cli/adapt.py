"""``trm-edge adapt``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trm_edge.arc.sources import Subset, read_subsets
from trm_edge.arc.task import TEST, TRAIN
from trm_edge.cli.arc_output import print_problems
from trm_edge.cli.command import Command, exit_codes
from trm_edge.cli.console import echo
from trm_edge.cli.options import FiniteRange, threads_option
from trm_edge.datasets.folder import TEST_PUZZLES_NAME
from trm_edge.errors import ConfigError, MissingExtraError
from trm_edge.progress import duration, progress_bars
from trm_edge.threads import thread_count

if TYPE_CHECKING:
    from trm_edge.training.adaptation import AdaptationStep, Adapted
    from trm_edge.training.row_plan import RowPlan

_SECONDS = 60.0  # of a minute
_SPLIT_QUESTIONS = 64  # of each split that an export reads; a published model takes minutes for one
_SPLIT_SEED = 0
_SHOWN_STEPS = 50  # last steps whose figures are averaged


@click.command(
    "adapt",
    cls=Command,
    epilog=exit_codes(failed="failed, or a task was left out; it is named"),
)
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("tasks", type=click.Path(path_type=Path), metavar="TASKS.json")
@click.option(
    "--minutes", type=FiniteRange(min=0, min_open=True), metavar="T", help="Train for T minutes."
)
@click.option(
    "--steps",
    type=click.IntRange(1),
    metavar="N",
    help="Number of optimizer steps instead; the result does not depend on the machine's speed.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="RUN",
    help="Run folder to write, for trm-edge export.",
)
@click.option("--force", is_flag=True, help="Replace a run that is there.")
@click.option(
    "--augmentations",
    type=click.IntRange(0, 100_000),
    metavar="N",
    default=256,
    show_default=True,
    help="Augmented variants of each task.",
)
@click.option(
    "--batch",
    type=click.IntRange(1),
    metavar="SLOTS",
    default=64,
    show_default=True,
    help="Puzzles trained on at once.",
)
@click.option(
    "--lr",
    type=FiniteRange(min=0, min_open=True),
    metavar="RATE",
    default=1e-4,
    show_default=True,
    help="Learning rate of the network.",
)
@click.option(
    "--rows-lr",
    type=FiniteRange(min=0, min_open=True),
    metavar="RATE",
    default=1e-2,
    show_default=True,
    help="Learning rate of the puzzle embeddings.",
)
@click.option(
    "--whole-canvas",
    is_flag=True,
    help="Train on all 900 cells of small grids from the start, not in the last fifth alone.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, (1 << 32) - 1),
    metavar="N",
    default=0,
    show_default=True,
    help="Seed of the augmentations and of the order of the data.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="YAML",
    help="all_config.yaml of the checkpoint, where it is not beside it.",
)
@click.option(
    "--dataset",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Dataset of the checkpoint, where dataset.json is not beside it.",
)
@threads_option
def command(
    checkpoint: Path,
    tasks: Path,
    minutes: float | None,
    steps: int | None,
    output: Path,
    force: bool,
    augmentations: int,
    batch: int,
    lr: float,
    rows_lr: float,
    whole_canvas: bool,
    seed: int,
    config: Path | None,
    dataset: Path | None,
    threads: int,
) -> None:
    """Adapt a checkpoint to ARC tasks that it was not trained on.

    The whole network is fine-tuned on the tasks' demonstrations and their augmentations: first the
    puzzle embeddings of the new tasks alone, for a quarter of the run, then everything. Test
    inputs are not trained on. The result is a run folder for trm-edge export, which answers these
    tasks only.

    The work is saved once a minute in RUN.adapt; the same command continues it. It runs on a GPU
    where PyTorch finds one.

    \b
    trm-edge adapt runs/arc/step_50000 tasks.json --minutes 240 -o adapted
    trm-edge export adapted --int8 -o arc-bundle
    trm-edge solve arc-bundle tasks.json -o answers
    """
    if (minutes is None) == (steps is None):
        raise click.UsageError("Pass either --minutes or --steps, which end the training.")
    with _training_extra():
        import torch

        from trm_edge.export.checkpoint import load_checkpoint
        from trm_edge.training.adapt_recipe import AdaptRecipe, Limit
        from trm_edge.training.adaptation import Adaptation
        from trm_edge.training.device import choose_device
        from trm_edge.training.run_folder import RunWriter
    RunWriter.check_output(output, force=force)
    subset = _read_tasks(tasks)
    torch.set_num_threads(thread_count(threads))
    seconds = None if minutes is None else minutes * _SECONDS
    device, dtype = choose_device()
    state = output.parent / f"{output.name}.adapt"
    adaptation = Adaptation(
        load_checkpoint(checkpoint, config, dataset),
        subset.tasks,
        AdaptRecipe(
            augmentations=augmentations,
            batch=batch,
            lr=lr,
            rows_lr=rows_lr,
            whole_canvas=whole_canvas,
            seed=seed,
        ),
        Limit(steps, seconds),
        state=state,
        device=device,
        dtype=dtype,
    )
    plan = adaptation.plan
    echo(
        f"{len(plan.tasks):,} tasks, {len(plan.names) - 1:,} variants, {plan.known:,} of them "
        f"known to the checkpoint; {adaptation.window} x {adaptation.window} cells, {device.type}, "
        f"{str(dtype).removeprefix('torch.')}"
    )
    if adaptation.steps:
        echo(f"Continuing at step {adaptation.steps:,}, {100 * adaptation.done:.0f} % done.")
    course = _Course()
    try:
        with progress_bars() as track:
            adapted = adaptation.run(track, course.add)
    except KeyboardInterrupt:
        if state.exists():
            click.echo(f"The work so far is in {state}; the same command continues it.", err=True)
        raise
    _write(output, adapted, subset, plan, force=force)
    state.unlink(missing_ok=True)
    echo(
        f"{adapted.steps:,} steps in {duration(adapted.seconds)}; over the last ones {course.exact}"
        " of the demonstrations were right"
    )
    echo(f"Wrote {output}")
    print_problems(subset.problems)
    if subset.problems:
        sys.exit(1)


def _read_tasks(path: Path) -> Subset:
    if not path.exists():
        raise ConfigError(f"{path} does not exist. Pass a JSON file of tasks, or a folder of them.")
    (subset,) = read_subsets(path, [path.stem])
    return subset


@contextmanager
def _training_extra() -> Iterator[None]:
    """Name the extra that brings a missing package."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", "export", "Adapting") from error


class _Course:
    """Averages the figures of the last steps."""

    def __init__(self) -> None:
        self._last: list[float] = []

    def add(self, step: AdaptationStep) -> None:
        """Record a step.

        Args:
            step: that was run.
        """
        self._last = [*self._last[-_SHOWN_STEPS + 1 :], step.exact]

    @property
    def exact(self) -> str:
        """Share of answers that were right over the last steps."""
        if not self._last:
            return "none"
        return f"{100 * sum(self._last) / len(self._last):.0f} %"


def _write(output: Path, adapted: Adapted, subset: Subset, plan: RowPlan, *, force: bool) -> None:
    """Write the run, which is also the dataset that an export calibrates and measures on."""
    from trm_edge.training.questions import asked_questions, demonstration_questions, write_split
    from trm_edge.training.run_folder import RunWriter, write_checkpoint

    checkpoint = adapted.checkpoint
    with RunWriter(output, force=force) as writer:
        import torch

        table = torch.from_numpy(checkpoint.puzzle_embeddings)
        write_checkpoint(
            writer.folder,
            checkpoint.model,
            table,
            adapted.steps,
            adapted.training,
            names=checkpoint.identifiers,
        )
        tasks = {task.name: task.to_json() for task in subset.tasks}
        writer.path(TEST_PUZZLES_NAME).write_text(json.dumps(tasks), encoding="utf-8")
        splits = {
            TRAIN: demonstration_questions(plan.tasks, _SPLIT_QUESTIONS, _SPLIT_SEED),
            TEST: asked_questions(plan.tasks, _SPLIT_QUESTIONS),
        }
        for name, questions in splits.items():
            write_split(writer, name, questions, len(plan.names))
        writer.install()
