"""Unique-solution Sudokus of graded difficulty, and the symmetries that multiply them.

A puzzle is dug out of a random solved grid: cells are emptied in a random order as long as the
solution stays unique, and the order is kept. Every prefix of that order is a puzzle with one
solution, so one dig gives puzzles of every number of blanks up to its last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

CELLS = 81


@numba.njit
def _popcount(mask: int) -> int:
    count = 0
    while mask:
        mask &= mask - 1
        count += 1
    return count


@numba.njit
def _search(grid, rows, cols, boxes, limit, shuffle, nodes) -> int:
    """Count solutions up to ``limit``, most constrained cell first; leaves the last one in grid."""
    best, best_mask, best_count = -1, 0, 10
    for cell in range(81):
        if grid[cell]:
            continue
        r, c = cell // 9, cell % 9
        mask = 0x1FF & ~(rows[r] | cols[c] | boxes[r // 3 * 3 + c // 3])
        count = _popcount(mask)
        if count < best_count:
            best, best_mask, best_count = cell, mask, count
            if count <= 1:
                break
    if best < 0:
        return 1
    if best_count > 1:
        nodes[0] += best_count - 1
    r, c = best // 9, best % 9
    b = r // 3 * 3 + c // 3
    found = 0
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
        found += _search(grid, rows, cols, boxes, limit - found, shuffle, nodes)
        if found >= limit and shuffle:
            return found
        rows[r] &= ~bit
        cols[c] &= ~bit
        boxes[b] &= ~bit
        grid[best] = 0
        if found >= limit:
            return found
    return found


@numba.njit
def count_solutions(puzzle, limit=2):
    """Solutions of ``puzzle`` (81,) uint8 with 0 for blank, up to ``limit``; and the guesses spent.

    Guesses are the branches beyond the first at cells with no single candidate: 0 means that
    filling cells with one candidate is enough.
    """
    grid = puzzle.copy()
    rows = np.zeros(9, np.int64)
    cols = np.zeros(9, np.int64)
    boxes = np.zeros(9, np.int64)
    nodes = np.zeros(1, np.int64)
    for cell in range(81):
        if grid[cell]:
            r, c = cell // 9, cell % 9
            bit = 1 << (grid[cell] - 1)
            if (rows[r] | cols[c] | boxes[r // 3 * 3 + c // 3]) & bit:
                return 0, 0
            rows[r] |= bit
            cols[c] |= bit
            boxes[r // 3 * 3 + c // 3] |= bit
    return _search(grid, rows, cols, boxes, limit, False, nodes), nodes[0]


@numba.njit
def _random_solution():
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


@numba.njit
def _dig(solution):
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


@numba.njit
def _generate(count, min_blanks, seed):
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
    """Solved grids with the order in which cells may be emptied."""

    solutions: NDArray[np.uint8]  # (N, 81), 1..9
    orders: NDArray[np.int8]  # (N, 81) cell indices, -1 after the last

    def __len__(self) -> int:
        return len(self.solutions)

    def puzzles(
        self, index: NDArray[np.int64], blanks: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Puzzles (n, 81) with 0 for blank, and their solutions (n, 81)."""
        solutions = self.solutions[index]
        puzzles = solutions.copy()
        rows, ranks = np.nonzero(np.arange(CELLS) < blanks[:, None])
        puzzles[rows, self.orders[index][rows, ranks]] = 0
        return puzzles, solutions


def generate(count: int, min_blanks: int, seed: int) -> DigSet:
    """Dig ``count`` puzzles that reach ``min_blanks``; the same seed gives the same set."""
    return DigSet(*_generate(count, min_blanks, seed))


def permute(
    puzzles: NDArray[np.uint8], solutions: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Apply an independent random symmetry of Sudoku to each pair of (n, 81) grids.

    Digits are relabelled, rows within bands, bands, columns within stacks and stacks permuted,
    and half of the grids transposed.
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
    """n permutations of nine lines that keep each band together: (n, 9)."""
    bands = rng.permuted(np.tile(np.arange(3), (n, 1)), axis=1)
    lines = rng.permuted(np.tile(np.arange(3), (n, 3, 1)), axis=2)
    return (bands[:, :, None] * 3 + lines).reshape(n, 9)


def stream(
    digs: DigSet, blanks: tuple[int, int], rng: np.random.Generator, batch: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Endless batches of freshly permuted puzzles, blanks uniform in the closed range."""
    while True:
        index = rng.integers(len(digs), size=batch)
        count = rng.integers(blanks[0], blanks[1] + 1, size=batch)
        yield permute(*digs.puzzles(index, count), rng)
