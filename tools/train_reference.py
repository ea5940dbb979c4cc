"""Train a reference model and write it in the published trainer's format.

    python tools/train_reference.py sudoku --folder build/train/sudoku --minutes 120
    python tools/train_reference.py maze --folder build/train/maze --minutes 120
    python tools/train_reference.py sudoku-hrm --folder build/train/hrm --minutes 120
    python tools/train_reference.py sudoku-wide --folder build/train/wide --compile
    python tools/train_reference.py arc --folder build/train/arc
    python tools/train_reference.py sudoku-published --folder build/train/published

It can be stopped at any time: the next call continues from the last saved state. `--minutes` ends
one call; the run itself ends after the recipe's steps. `--finish-in STEPS` shortens the run, so
that the learning rate decays from the current step.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import maze_generator
import numpy as np
import reference_run
import sudoku_generator
import torch
from arc_reference import (
    ARC,
    WINDOW,
    arc_batches,
    arc_canvas_batches,
    arc_depth,
    arc_names,
    held_out_arc,
)
from curriculum import Lesson
from numpy.typing import NDArray
from reference_run import LessonTrainer
from rich.progress import Progress, TextColumn

from trm_edge.cli.options import ThreadCount
from trm_edge.config import ModelConfig
from trm_edge.training.deep_supervision import PuzzleRows
from trm_edge.training.recipe import TrainingRecipe
from trm_edge.training.run_folder import write_checkpoint
from trm_edge.training.trainer import Batch, Stream

BLANKS = (36, 56)
SEED_TRAINING = 0  # of the solved grids; shipped puzzles use other seeds
SEED_HELD_OUT = 1

SUDOKU = ModelConfig(
    hidden_size=128,
    num_heads=4,
    expansion=4.0,
    L_layers=2,
    H_cycles=2,
    L_cycles=3,
    halt_max_steps=16,
    no_ACT_continue=True,
    mlp_t=True,
    pos_encodings="none",
    puzzle_emb_ndim=128,
    puzzle_emb_len=1,
    seq_len=81,
    vocab_size=11,
    num_puzzle_identifiers=1,
    rms_norm_eps=1e-5,
    rope_theta=10000.0,
)
MAZE = dataclasses.replace(
    SUDOKU,
    num_heads=2,
    mlp_t=False,
    pos_encodings="rope",
    # One wavelength for each distance that occurs: at 10,000 most are longer than the maze.
    rope_theta=100.0,
    H_cycles=1,
    L_cycles=3,
    seq_len=maze_generator.SIDE**2,
    vocab_size=6,
)


@dataclass(frozen=True)
class ReferenceRun:
    """A recipe with its puzzles.

    Args:
        recipe: settings of the training.
        batches: makes the stream of training batches.
        held_out: makes a number of held-out puzzles.
        lesson: lesson of the curriculum, or None for a run without.
        names: of the rows of the puzzle-embedding table, where they have some.
        canvas_batches: makes the stream of the whole canvas, after steps in a window.
        depth: steps after which a puzzle is replaced, by training step; None: the model's own.
    """

    recipe: TrainingRecipe
    batches: Stream
    held_out: Callable[[int], PuzzleRows]
    lesson: Lesson | None = None
    names: Callable[[], list[str]] | None = None
    canvas_batches: Stream | None = None
    depth: Callable[[int], int] | None = None


def _one_row(tokens: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Batch:
    """Give all puzzles the only row of the table."""
    return tokens, labels, np.zeros(len(tokens), np.int64)


def _puzzle_rows(tokens: NDArray[np.uint8], labels: NDArray[np.uint8]) -> PuzzleRows:
    batch = _one_row(tokens, labels)
    return PuzzleRows(*(torch.from_numpy(part) for part in batch))


def sudoku_batches(rng: np.random.Generator) -> Iterator[Batch]:
    """Yield endless tokens and labels in the published vocabulary: 0 pad, 1 blank, digit + 1.

    Args:
        rng: source of random numbers.
    """
    digs = sudoku_generator.generate(100_000, BLANKS[1], SEED_TRAINING)
    for puzzles, solutions in sudoku_generator.stream(digs, BLANKS, rng, 256):
        yield _one_row(puzzles + 1, solutions + 1)


def held_out_sudokus(count: int) -> PuzzleRows:
    """Make tokens and labels of Sudokus that are not trained on.

    Args:
        count: number of puzzles.
    """
    digs = sudoku_generator.generate(count, BLANKS[1], SEED_HELD_OUT)
    blanks = np.random.default_rng(SEED_HELD_OUT).integers(BLANKS[0], BLANKS[1] + 1, size=count)
    puzzles, solutions = digs.puzzles(np.arange(count), blanks)
    return _puzzle_rows(puzzles + 1, solutions + 1)


def maze_batches(rng: np.random.Generator) -> Iterator[Batch]:
    """Yield endless tokens and labels of mazes.

    Args:
        rng: source of random numbers.
    """
    for tokens, labels in maze_generator.stream(rng, 256):
        yield _one_row(tokens, labels)


def held_out_mazes(count: int) -> PuzzleRows:
    """Make tokens and labels of mazes that are not trained on.

    Args:
        count: number of mazes.
    """
    return _puzzle_rows(*maze_generator.generate(count, SEED_HELD_OUT))


def _published(model: ModelConfig, L_cycles: int) -> TrainingRecipe:
    model = dataclasses.replace(
        model,
        hidden_size=512,
        num_heads=8,
        H_cycles=3,
        L_cycles=L_cycles,
        puzzle_emb_ndim=512,
        puzzle_emb_len=16,
    )
    return TrainingRecipe(model, steps=30_000, batch=768, lr=5e-4)


# HRM as the TRM repository carries it, small: two networks of two blocks that mix by MLPs.
HRM = dataclasses.replace(
    SUDOKU,
    architecture="hrm",
    H_layers=2,
    L_cycles=2,
    no_ACT_continue=False,
    puzzle_emb_len=0,
)
# The published width with the small model's cycles: what two cores can train.
WIDE = dataclasses.replace(
    SUDOKU, hidden_size=512, num_heads=8, puzzle_emb_ndim=512, puzzle_emb_len=16
)
RUNS = {
    "sudoku": ReferenceRun(TrainingRecipe(SUDOKU), sudoku_batches, held_out_sudokus),
    "sudoku-hrm": ReferenceRun(
        TrainingRecipe(HRM, steps=6_000, decay_steps=2_000), sudoku_batches, held_out_sudokus
    ),
    "maze": ReferenceRun(
        TrainingRecipe(MAZE, batch=32, lr=6e-4),
        maze_batches,
        held_out_mazes,
        maze_generator.fill_dead_ends,
    ),
    "sudoku-wide": ReferenceRun(
        TrainingRecipe(WIDE, steps=4_000, decay_steps=1_500, lr=7e-4),
        sudoku_batches,
        held_out_sudokus,
    ),
    "arc": ReferenceRun(
        TrainingRecipe(
            ARC,
            steps=10_240,
            decay_steps=3_000,
            batch=64,
            lr=1e-3,
            rows_lr=1e-2,
            window=WINDOW,
            canvas_steps=240,
        ),
        arc_batches,
        held_out_arc,
        names=arc_names,
        canvas_batches=arc_canvas_batches,
        depth=arc_depth,
    ),
    "sudoku-published": ReferenceRun(_published(SUDOKU, 6), sudoku_batches, held_out_sudokus),
    "maze-published": ReferenceRun(_published(MAZE, 4), maze_batches, held_out_mazes),
}


def _train(trainer: LessonTrainer, name: str, folder: Path, minutes: float | None) -> None:
    columns = (*Progress.get_default_columns(), TextColumn("{task.fields[figures]}"))
    log = folder / "log.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    with Progress(*columns) as progress, log.open("a") as lines:
        task = progress.add_task(name, total=trainer.recipe.steps, figures="")

        def report(step: int, figures: dict[str, float]) -> None:
            progress.update(task, completed=step)
            if step % 25 == 0:
                parts = [f"{key} {value:.3f}" for key, value in figures.items() if key != "step"]
                progress.update(task, figures="  ".join(parts))
                lines.write(json.dumps({"step": step, **figures}) + "\n")
                lines.flush()

        reference_run.run(trainer, folder, RUNS[name].held_out(512), report, minutes=minutes)


@click.command(help=__doc__)
@click.argument("name", type=click.Choice(sorted(RUNS)))
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="State and output.")
@click.option("--minutes", type=float, help="Stop this call after this many minutes.")
@click.option("--finish-in", type=int, help="End the run after this many more steps.")
@click.option("--steps", type=int, help="Length of the run; the recipe's own by default.")
@click.option("--threads", type=ThreadCount(), help="CPU threads; torch's choice by default.")
@click.option("--compile", "compiled", is_flag=True, help="Compile the networks (minutes).")
@click.option("--write-only", is_flag=True, help="Only write the checkpoint of the saved state.")
@click.option("--seed", type=int, default=0, show_default=True)
def main(
    name: str,
    folder: Path,
    minutes: float | None,
    finish_in: int | None,
    steps: int | None,
    threads: int | None,
    compiled: bool,
    write_only: bool,
    seed: int,
) -> None:
    if threads:
        torch.set_num_threads(threads)
    recipe = dataclasses.replace(RUNS[name].recipe, seed=seed)
    if steps:
        recipe = dataclasses.replace(recipe, steps=steps)
    run = RUNS[name]
    trainer = LessonTrainer(
        recipe,
        run.batches,
        run.lesson,
        depth=run.depth,
        compiled=compiled,
        canvas_data=run.canvas_batches,
    )
    state = folder / "state.pt"
    if state.exists():
        trainer.load(state)
        click.echo(f"resumed at step {trainer.step}")
    if finish_in:
        trainer.recipe = dataclasses.replace(
            recipe, steps=trainer.step + finish_in, decay_steps=finish_in
        )
    if not write_only:
        _train(trainer, name, folder, minutes)
    model, table = trainer.averaged()
    training = {
        "ema": True,
        "ema_rate": recipe.ema,
        "global_batch_size": recipe.batch,
        "lr": recipe.lr,
        "weight_decay": recipe.weight_decay,
        "seed": recipe.seed,
    }
    embeddings = table if recipe.model.puzzle_emb_ndim else None
    names = RUNS[name].names
    path = write_checkpoint(
        folder / "checkpoint",
        model,
        embeddings,
        trainer.step,
        training,
        names=None if names is None else names(),
    )
    click.echo(f"wrote {path}")


if __name__ == "__main__":
    main()
