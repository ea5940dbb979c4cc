"""Accuracy of a model by difficulty, as its model card gives it; prints Markdown.

    python tools/evaluate_reference.py trm_edge/reference/sudoku

Difficulty is the number of blanks, and whether filling cells with a single candidate is enough.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
import numpy as np
import onnx
import sudoku_generator
from numpy.typing import NDArray

from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.evaluation.statistics import wilson_interval
from trm_edge.evaluation.vectors import labels_of, record_vectors
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
    task = task_for(loaded.config)
    held_out = held_out_puzzles(task, None, puzzles)
    with tempfile.TemporaryDirectory() as folder, progress_bars() as track:
        path = Path(folder) / "step.onnx"
        onnx.save(step_graph(loaded.model), path)
        vectors = record_vectors(
            OnnxRuntimeBackend(path, loaded.config),
            loaded.puzzle_embeddings,
            held_out.puzzles,
            labels_of(held_out.entries, loaded.config.seq_len),
            track=track,
            what=checkpoint.name,
        )
    blanks = (vectors.tokens == 1).sum(1)
    guesses = np.array(
        [sudoku_generator.count_solutions((row - 1).astype(np.uint8))[1] for row in vectors.tokens]
    )
    adaptive = (vectors.answers(adaptive=True) == vectors.labels).all(1)
    fixed = (vectors.answers(adaptive=False) == vectors.labels).all(1)
    first = (vectors.predictions[:, 0] == vectors.labels).all(1)
    click.echo(
        "| puzzles | n | first step | adaptive | 95 % | fixed | steps |\n"
        "|---|---|---|---|---|---|---|"
    )

    def row(name: str, chosen: NDArray[np.bool_]) -> None:
        n, right = int(chosen.sum()), int(adaptive[chosen].sum())
        low, high = wilson_interval(right, n)
        click.echo(
            f"| {name} | {n} | {100 * first[chosen].mean():.1f} | {100 * right / n:.1f} | "
            f"{100 * low:.1f} to {100 * high:.1f} | {100 * fixed[chosen].mean():.1f} | "
            f"{vectors.halting_steps[chosen].mean():.2f} |"
        )

    row("all, 36 to 56 blanks", blanks > 0)
    for low, high in ((36, 42), (43, 49), (50, 56)):
        row(f"{low} to {high} blanks", (blanks >= low) & (blanks <= high))
    row("single candidates are enough", guesses == 0)
    row("a guess or a deeper rule is needed", guesses > 0)


if __name__ == "__main__":
    main()
