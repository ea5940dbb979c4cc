"""Write the puzzles that are shipped: for calibration, as held-out puzzles, and as examples.

    python tools/make_puzzles.py trm_edge/reference/puzzles
    python tools/make_puzzles.py trm_edge/reference/puzzles --task maze
    python tools/make_puzzles.py trm_edge/reference/puzzles --task arc

Sudokus and mazes are generated, each split with a seed of its own, different from those of the
training puzzles. ARC's are the test pairs and demonstrations of public tasks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import maze_generator
import numpy as np
import sudoku_generator
from numpy.typing import NDArray

from trm_edge.tasks.maze_cells import CHARACTERS

BLANKS = (36, 56)
SPLITS = {"calibration": (256, 2), "held_out": (2000, 3), "examples": (4, 4)}  # count, seed

# An example that takes the bundled Sudoku model about ten steps, in float32 and in INT8, so that
# trm-edge solve --watch shows a refinement: count, seed and number of the puzzle.
LONG_EXAMPLE = (1500, 6, 553)


def sudokus(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Yield puzzles and solutions as text, with every number of blanks equally often.

    Args:
        count: number of puzzles.
        seed: of the random numbers.
    """
    digs = sudoku_generator.generate(count, BLANKS[1], seed)
    spread = BLANKS[1] - BLANKS[0] + 1
    blanks = BLANKS[0] + np.arange(count) * spread // count
    order = np.random.default_rng(seed).permutation(count)
    puzzles, solutions = digs.puzzles(np.arange(count), blanks[order])
    for puzzle, solution in zip(puzzles, solutions, strict=True):
        yield _text(puzzle, ".123456789"), _text(solution, ".123456789")


def long_example() -> tuple[str, str]:
    """Return the Sudoku that takes many steps, and its solution."""
    count, seed, number = LONG_EXAMPLE
    return list(sudokus(count, seed))[number]


def mazes(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Yield mazes and solutions as text.

    Args:
        count: number of mazes.
        seed: of the random numbers.
    """
    every_tokens, every_labels = maze_generator.generate(count, seed)
    for tokens, labels in zip(every_tokens, every_labels, strict=True):
        yield _text(tokens, CHARACTERS), _text(labels, CHARACTERS)


TASKS = {"sudoku": sudokus, "maze": mazes}


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--task", "tasks", type=click.Choice([*TASKS, "arc"]), multiple=True, help="All by default."
)
def main(folder: Path, tasks: tuple[str, ...]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for task in tasks or (*TASKS, "arc"):
        if task == "arc":
            _write_arc(folder)
            continue
        for split, (count, seed) in SPLITS.items():
            pairs = list(TASKS[task](count, seed))
            if (task, split) == ("sudoku", "examples"):
                pairs.append(long_example())
            lines = [f"{puzzle},{solution}" for puzzle, solution in pairs]
            path = folder / f"{task}_{split}.csv"
            path.write_text("\n".join(["puzzle,solution", *lines]) + "\n")
            click.echo(f"{path}: {len(lines)} puzzles")


def _write_arc(folder: Path) -> None:
    from arc_puzzles import write_arc_puzzles

    for path, count in write_arc_puzzles(folder).items():
        click.echo(f"{path}: {count}")


def _text(cells: NDArray[np.uint8], characters: str) -> str:
    return "".join(characters[cell] for cell in cells)


if __name__ == "__main__":
    main()
