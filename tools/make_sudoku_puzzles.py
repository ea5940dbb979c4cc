"""Write the Sudokus that are shipped: to calibrate on, to hold models to, and to show.

    python tools/make_sudoku_puzzles.py trm_edge/reference/puzzles

Each split is dug from its own random grids, and none from those that a model was trained on.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import sudoku_generator
from numpy.typing import NDArray

BLANKS = (36, 56)
SPLITS = {"calibration": (256, 2), "held_out": (2000, 3), "examples": (4, 4)}  # count, seed


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(path_type=Path))
def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for split, (count, seed) in SPLITS.items():
        digs = sudoku_generator.generate(count, BLANKS[1], seed)
        spread = BLANKS[1] - BLANKS[0] + 1
        blanks = BLANKS[0] + np.arange(count) * spread // count  # every number alike
        order = np.random.default_rng(seed).permutation(count)
        puzzles, solutions = digs.puzzles(np.arange(count), blanks[order])
        lines = [f"{_text(p)},{_text(s)}" for p, s in zip(puzzles, solutions, strict=True)]
        path = folder / f"sudoku_{split}.csv"
        path.write_text("\n".join(["puzzle,solution", *lines]) + "\n")
        click.echo(f"{path}: {count} puzzles")


def _text(grid: NDArray[np.uint8]) -> str:
    return "".join(str(digit) if digit else "." for digit in grid)


if __name__ == "__main__":
    main()
