"""Measure the accuracy of a model by difficulty, for its model card; prints Markdown.

    python tools/evaluate_reference.py trm_edge/reference/sudoku

The difficulty of a Sudoku is its number of blanks, and whether filling in cells with a single
candidate is enough; that of a maze is the length of its path; that of an ARC grid is the number of
its answer's cells.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import maze_generator
import numpy as np
import onnx
import sudoku_generator
from numpy.typing import NDArray

from trm_edge.arc.augmentation import FIRST_COLOUR
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.evaluation.recording import labels_of, record_vectors
from trm_edge.evaluation.statistics import wilson_interval
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.export.step_graph import step_graph
from trm_edge.progress import progress_bars
from trm_edge.targets.puzzle_sources import held_out_puzzles
from trm_edge.tasks import task_for


@click.command(help=__doc__)
@click.argument("checkpoint", type=click.Path(path_type=Path, exists=True))
@click.option("--puzzles", type=click.IntRange(1, 2000), default=2000, show_default=True)
def main(checkpoint: Path, puzzles: int) -> None:
    loaded = load_checkpoint(checkpoint)
    task = task_for(loaded.config).with_row_names(loaded.row_names)
    if task.bundled_puzzles("held_out") is None:
        raise click.UsageError(
            f"there are no bundled puzzles of the task {task.name} with {loaded.config.seq_len} "
            "cells."
        )
    held_out = held_out_puzzles(task, None, puzzles)
    with tempfile.TemporaryDirectory() as folder, progress_bars() as track:
        path = Path(folder) / "step.onnx"
        onnx.save(step_graph(loaded.model), path)
        vectors = record_vectors(
            OnnxRuntimeBackend(path, loaded.config),
            loaded.puzzle_embeddings,
            held_out.puzzles,
            labels_of(held_out.entries, loaded.config),
            track=track,
            description=checkpoint.name,
        )
    adaptive = task.are_right(vectors.answers(adaptive=True), vectors.labels)
    fixed = task.are_right(vectors.answers(adaptive=False), vectors.labels)
    first = task.are_right(vectors.predictions[:, 0], vectors.labels)
    click.echo(
        "| puzzles | n | first step | adaptive | 95 % | fixed | steps |\n"
        "|---|---|---|---|---|---|---|"
    )

    def row(name: str, chosen: NDArray[np.bool_]) -> None:
        n = int(chosen.sum())
        right = int(adaptive[chosen].sum())
        low, high = wilson_interval(right, n)
        click.echo(
            f"| {name} | {n} | {100 * first[chosen].mean():.1f} | {100 * right / n:.1f} | "
            f"{100 * low:.1f} to {100 * high:.1f} | {100 * fixed[chosen].mean():.1f} | "
            f"{vectors.halting_steps[chosen].mean():.2f} |"
        )

    for name, chosen in DIFFICULTIES[task.name](vectors.tokens, vectors.labels):
        row(name, chosen)


def _sudokus(
    tokens: NDArray[np.uint8], labels: NDArray[np.uint8]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    blanks = (tokens == 1).sum(1)
    guesses = np.array([sudoku_generator.count_solutions(row)[1] for row in tokens - 1])
    yield "all, 36 to 56 blanks", blanks > 0
    for low, high in ((36, 42), (43, 49), (50, 56)):
        yield f"{low} to {high} blanks", (blanks >= low) & (blanks <= high)
    yield "single candidates are enough", guesses == 0
    yield "a guess or a deeper rule is needed", guesses > 0


def _mazes(
    tokens: NDArray[np.uint8], labels: NDArray[np.uint8]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    steps = (labels == maze_generator.WAY).sum(1) + 1
    yield f"all, paths of {steps.min()} to {steps.max()} steps", steps > 0
    for low, high in _thirds(steps):
        yield f"{low} to {high} steps", (steps >= low) & (steps <= high)


def _arc(
    tokens: NDArray[np.uint8], labels: NDArray[np.uint8]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    cells = (labels >= FIRST_COLOUR).sum(1)
    yield f"all, answers of {cells.min()} to {cells.max()} cells", cells > 0
    for low, high in _thirds(cells):
        yield f"{low} to {high} cells", (cells >= low) & (cells <= high)


def _thirds(values: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Split integers into ranges with about a third of them each."""
    low = int(values.min())
    for share in (1 / 3, 2 / 3, 1):
        high = int(np.quantile(values, share, method="closest_observation"))
        yield low, high
        low = high + 1


DIFFICULTIES = {"sudoku": _sudokus, "maze": _mazes, "arc": _arc}


if __name__ == "__main__":
    main()
