"""Pictures of Sudoku grids for a terminal, with lines around the boxes."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from trm_edge.tasks.sudoku_grid import BLANK, SudokuGrid


def draw_sudoku(
    grid: SudokuGrid,
    tokens: NDArray[Any],
    puzzle: NDArray[Any] | None = None,
    previous: NDArray[Any] | None = None,
) -> str:
    """Draw a grid in rich's markup.

    Args:
        grid: its rows, columns and boxes.
        tokens: (L,) token ids.
        puzzle: (L,) token ids of the puzzle; its digits are bold and the others coloured.
        previous: (L,) token ids before the step; cells that differ from it are reversed.
    """
    side = grid.side
    width = grid.box_columns
    edge = "─" * (2 * width + 1)
    edges = [edge] * (side // width)
    lines = [f"┌{'┬'.join(edges)}┐"]
    for row in range(side):
        if row and row % grid.box_rows == 0:
            lines.append(f"├{'┼'.join(edges)}┤")
        bands = []
        for first in range(side * row, side * (row + 1), width):
            cells = range(first, first + width)
            bands.append(" ".join(_cell(grid, cell, tokens, puzzle, previous) for cell in cells))
        lines.append(f"│ {' │ '.join(bands)} │")
    lines.append(f"└{'┴'.join(edges)}┘")
    return "\n".join(lines)


def _cell(
    grid: SudokuGrid,
    cell: int,
    tokens: NDArray[Any],
    puzzle: NDArray[Any] | None,
    previous: NDArray[Any] | None,
) -> str:
    token = int(tokens[cell])
    is_digit = BLANK < token < grid.vocabulary
    character = grid.symbols[token - BLANK - 1] if is_digit else "."
    styles = []
    if puzzle is not None and is_digit:
        styles.append("bold" if puzzle[cell] > BLANK else "cyan")
    if previous is not None and previous[cell] != token:
        styles.append("reverse")
    if not styles:
        return character
    style = " ".join(styles)
    return f"[{style}]{character}[/{style}]"
