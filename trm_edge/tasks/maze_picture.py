"""Pictures of mazes for a terminal: walls are blocks, and the path is a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.tasks.grid_paths import SquareGrid
from trm_edge.tasks.maze_cells import CHARACTERS, GOAL, OPEN, PAD, START, WALL, WAY

_GLYPHS = "•╹╻┃╸┛┓┫╺┗┏┣━┻┳╋"  # of the path, by its neighbours: 1 up, 2 down, 4 left, 8 right


def draw_maze(
    side: int,
    tokens: NDArray[Any],
    puzzle: NDArray[Any] | None = None,
    previous: NDArray[Any] | None = None,
) -> str:
    """Draw a maze in rich's markup, two characters a cell so that cells look square.

    Args:
        side: cells in a row.
        tokens: (L,) token ids.
        puzzle: (L,) token ids of the puzzle; cells that differ from it are coloured.
        previous: (L,) token ids before the step; cells that differ from it are reversed.
    """
    ids = np.asarray(tokens, int).tolist()
    edge = "─" * 2 * side
    grid = SquareGrid(side)
    lines = [f"┌{edge}┐"]
    for first in range(0, side * side, side):
        row = []
        for cell in range(first, first + side):
            picture = _cell(grid, cell, ids, puzzle)
            if previous is not None and previous[cell] != tokens[cell]:
                picture = f"[reverse]{picture}[/reverse]"
            row.append(picture)
        lines.append(f"│{''.join(row)}│")
    lines.append(f"└{edge}┘")
    return "\n".join(lines)


def _cell(grid: SquareGrid, cell: int, tokens: Sequence[int], puzzle: NDArray[Any] | None) -> str:
    token = tokens[cell]
    linked = []
    for neighbour in grid.neighbours[cell]:
        if _linked(token, tokens[neighbour]):
            linked.append(neighbour)
    link = "[cyan]━[/cyan]" if cell + 1 in linked else " "
    if token == WAY:
        sides = 0
        for bit, step in enumerate((-grid.side, grid.side, -1, 1)):
            if cell + step in linked:
                sides |= 1 << bit
        return f"[cyan]{_GLYPHS[sides]}[/cyan]{link}"
    if token in (START, GOAL):
        picture = f"[bold]{CHARACTERS[token]}[/bold]{link}"
    else:
        picture = {PAD: "??", WALL: "██", OPEN: "  "}[token]
    if puzzle is None or puzzle[cell] == token:
        return picture
    return f"[cyan]{picture}[/cyan]"


def _linked(token: int, neighbour: int) -> bool:
    """Tell whether a path runs from a cell to the next, by their tokens."""
    return min(token, neighbour) >= START and WAY in (token, neighbour)
