"""Generate Sudokus with one solution and any number of blanks, and apply Sudoku's symmetries.

A puzzle is dug out of a random solved grid: cells are emptied in a random order as long as the
solution stays unique, and the order is recorded. Every prefix of that order is a puzzle with one
solution, so one dig gives puzzles with every number of blanks up to its last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from compiled import njit
from numpy.typing import NDArray

CELLS = 81
Grid = NDArray[np.uint8]  # (81,), 0 for blank
Masks = NDArray[np.int64]  # (9,) bits of the digits used in each row, column or box


@njit
def _popcount(mask: int) -> int:
    count = 0
    while mask:
        mask &= mask - 1
        count += 1
    return count


@njit
def _search(
    grid: Grid, rows: Masks, cols: Masks, boxes: Masks, limit: int, shuffle: bool, guesses: Masks
) -> int:
    """Count solutions up to ``limit``, most constrained cell first; leaves the last one in grid.

    ``guesses[0]`` grows by the branches beyond the first.
    """
    best = -1
    best_mask = 0
    best_count = 10
    for cell in range(81):
        if grid[cell]:
            continue
        r = cell // 9
        c = cell % 9
        mask = 0x1FF & ~(rows[r] | cols[c] | boxes[r // 3 * 3 + c // 3])
        count = _popcount(mask)
        if count < best_count:
            best = cell
            best_mask = mask
            best_count = count
            if count <= 1:
                break
    if best < 0:
        return 1
    if best_count > 1:
        guesses[0] += best_count - 1
    r = best // 9
    c = best % 9
    b = r // 3 * 3 + c // 3
    solutions = 0
    start = np.random.randint(9) if shuffle else 0
    for k in range(9):
        digit = (start + k) % 9
        bit = 1 << digit
        if not best_mask & bit:
            continue
        grid[best] = digit + 1
        rows[r] |= bit
        cols[c] |= bit
        boxes[b] |= bit
        solutions += _search(grid, rows, cols, boxes, limit - solutions, shuffle, guesses)
        if solutions >= limit and shuffle:
            return solutions
        rows[r] &= ~bit
        cols[c] &= ~bit
        boxes[b] &= ~bit
        grid[best] = 0
        if solutions >= limit:
            return solutions
    return solutions


@njit
def count_solutions(puzzle: Grid, limit: int = 2) -> tuple[int, int]:
    """Count the solutions of a puzzle and the guesses needed to find them.

    Args:
        puzzle: (81,) uint8, 0 for blank.
        limit: stop at this number of solutions.

    Returns:
        The number of solutions, and the number of guesses: branches beyond the first at cells
        without a single candidate. 0 means that filling in cells with one candidate is enough.
    """
    grid = puzzle.copy()
    rows = np.zeros(9, np.int64)
    cols = np.zeros(9, np.int64)
    boxes = np.zeros(9, np.int64)
    guesses = np.zeros(1, np.int64)
    for cell in range(81):
        if grid[cell]:
            r = cell // 9
            c = cell % 9
            bit = 1 << (grid[cell] - 1)
            if (rows[r] | cols[c] | boxes[r // 3 * 3 + c // 3]) & bit:
                return 0, 0
            rows[r] |= bit
            cols[c] |= bit
            boxes[r // 3 * 3 + c // 3] |= bit
    solutions = _search(grid, rows, cols, boxes, limit, False, guesses)
    return solutions, guesses[0]


@njit
def _random_solution() -> Grid:
    grid = np.zeros(81, np.uint8)
    rows = np.zeros(9, np.int64)
    cols = np.zeros(9, np.int64)
    boxes = np.zeros(9, np.int64)
    # A random first row makes all relabellings equally likely.
    digits = np.random.permutation(9)
    for c in range(9):
        grid[c] = digits[c] + 1
        bit = 1 << digits[c]
        rows[0] |= bit
        cols[c] |= bit
        boxes[c // 3] |= bit
    _search(grid, rows, cols, boxes, 1, True, np.zeros(1, np.int64))
    return grid


@njit
def _dig(solution: Grid) -> tuple[NDArray[np.int8], int]:
    """Return the order (81,) in which cells may be emptied, -1 after the last, and their number."""
    puzzle = solution.copy()
    order = np.full(81, -1, np.int8)
    blanks = 0
    for cell in np.random.permutation(81):
        digit = puzzle[cell]
        puzzle[cell] = 0
        if count_solutions(puzzle, 2)[0] == 1:
            order[blanks] = cell
            blanks += 1
        else:
            puzzle[cell] = digit
    return order, blanks


@njit
def _generate(count: int, min_blanks: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    np.random.seed(seed)
    solutions = np.zeros((count, 81), np.uint8)
    orders = np.zeros((count, 81), np.int8)
    done = 0
    while done < count:
        solution = _random_solution()
        order, blanks = _dig(solution)
        if blanks >= min_blanks:
            solutions[done] = solution
            orders[done] = order
            done += 1
    return solutions, orders


@dataclass(frozen=True)
class DigSet:
    """Solved grids with the order in which cells may be emptied.

    Args:
        solutions: (N, 81) uint8, 1 to 9.
        orders: (N, 81) int8 cell indices, -1 after the last.
    """

    solutions: NDArray[np.uint8]
    orders: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.solutions)

    def puzzles(
        self, index: NDArray[np.int64], blanks: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Make puzzles from the grids.

        Args:
            index: (n,) indices of the grids.
            blanks: (n,) number of blanks of each puzzle.

        Returns:
            Puzzles (n, 81) with 0 for blank, and their solutions (n, 81).
        """
        solutions = self.solutions[index]
        puzzles = solutions.copy()
        rows, ranks = np.nonzero(np.arange(CELLS) < blanks[:, None])
        puzzles[rows, self.orders[index][rows, ranks]] = 0
        return puzzles, solutions


def generate(count: int, min_blanks: int, seed: int) -> DigSet:
    """Dig puzzles; the same seed gives the same set.

    Args:
        count: number of grids.
        min_blanks: number of blanks that every grid must reach.
        seed: of the random numbers.
    """
    return DigSet(*_generate(count, min_blanks, seed))


def permute(
    puzzles: NDArray[np.uint8], solutions: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Apply an independent random symmetry of Sudoku to each puzzle and its solution.

    Digits are relabelled; rows within bands, bands, columns within stacks, and stacks are
    permuted; and half of the grids are transposed.

    Args:
        puzzles: (n, 81) uint8, 0 for blank.
        solutions: (n, 81) uint8.
        rng: source of random numbers.

    Returns:
        The transformed puzzles and solutions.
    """
    n = len(puzzles)
    source = _line_order(n, rng)[:, :, None] * 9 + _line_order(n, rng)[:, None, :]  # (n, 9, 9)
    flip = rng.random(n) < 0.5
    source[flip] = source[flip].transpose(0, 2, 1)
    source = source.reshape(n, CELLS)
    labels = np.zeros((n, 10), np.uint8)
    labels[:, 1:] = rng.permuted(np.tile(np.arange(1, 10, dtype=np.uint8), (n, 1)), axis=1)
    rows = np.arange(n)[:, None]
    return labels[rows, puzzles[rows, source]], labels[rows, solutions[rows, source]]


def _line_order(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw n permutations (n, 9) of nine lines that keep each band together."""
    bands = rng.permuted(np.tile(np.arange(3), (n, 1)), axis=1)
    lines = rng.permuted(np.tile(np.arange(3), (n, 3, 1)), axis=2)
    order: NDArray[np.int64] = (bands[:, :, None] * 3 + lines).reshape(n, 9)
    return order


def stream(
    digs: DigSet, blanks: tuple[int, int], rng: np.random.Generator, batch: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Yield endless batches of newly permuted puzzles and their solutions.

    Args:
        digs: the grids.
        blanks: smallest and largest number of blanks, drawn uniformly.
        rng: source of random numbers.
        batch: number of puzzles in a batch.
    """
    while True:
        index = rng.integers(len(digs), size=batch)
        count = rng.integers(blanks[0], blanks[1] + 1, size=batch)
        yield permute(*digs.puzzles(index, count), rng)
