"""Generate mazes with exactly one path, in the published vocabulary of six tokens.

Rooms lie at the even rows and columns of an odd grid, and a random tree of corridors joins them:
growing it from its newest room makes it wind, growing it from a random room makes it branch.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from compiled import njit
from numpy.typing import NDArray

SIDE = 13
WALL = 1  # 0 is padding
OPEN = 2
START = 3
GOAL = 4
WAY = 5
SHORTEST = 8  # minimum number of steps from start to goal
TRIES = 8  # pairs of start and goal before a new grid is carved
MAX_WINDING = 0.5  # maximum share of corridors grown from the newest room
NEAR = 0.1  # share of training mazes with fewer steps than SHORTEST
Cells = NDArray[np.uint8]


@njit
def _carve(side: int) -> Cells:
    """Carve a grid (side, side) of WALL and OPEN."""
    rooms = (side + 1) // 2
    grid = np.full((side, side), WALL, np.uint8)
    row_of = np.empty(rooms * rooms, np.int64)
    col_of = np.empty(rooms * rooms, np.int64)
    visited = np.zeros((rooms, rooms), np.bool_)
    winding = np.random.random() * MAX_WINDING
    row_of[0] = np.random.randint(rooms)
    col_of[0] = np.random.randint(rooms)
    visited[row_of[0], col_of[0]] = True
    grid[2 * row_of[0], 2 * col_of[0]] = OPEN
    active = 1
    while active:
        k = active - 1 if np.random.random() < winding else np.random.randint(active)
        r = row_of[k]
        c = col_of[k]
        choices = 0
        chosen_r = -1
        chosen_c = -1
        for direction in range(4):
            nr = r + (direction == 0) - (direction == 1)
            nc = c + (direction == 2) - (direction == 3)
            if 0 <= nr < rooms and 0 <= nc < rooms and not visited[nr, nc]:
                choices += 1
                if np.random.randint(choices) == 0:
                    chosen_r = nr
                    chosen_c = nc
        if not choices:
            active -= 1
            row_of[k] = row_of[active]
            col_of[k] = col_of[active]
            continue
        visited[chosen_r, chosen_c] = True
        grid[r + chosen_r, c + chosen_c] = OPEN
        grid[2 * chosen_r, 2 * chosen_c] = OPEN
        row_of[active] = chosen_r
        col_of[active] = chosen_c
        active += 1
    return grid


@njit
def _distances(grid: Cells, start: int) -> NDArray[np.int64]:
    """Count the steps (side * side,) from ``start``, -1 at walls."""
    side = grid.shape[0]
    cells = grid.ravel()
    distance = np.full(side * side, -1, np.int64)
    queue = np.empty(side * side, np.int64)
    queue[0] = start
    head = 0
    tail = 1
    distance[start] = 0
    while head < tail:
        cell = queue[head]
        head += 1
        r = cell // side
        c = cell % side
        for direction in range(4):
            nr = r + (direction == 0) - (direction == 1)
            nc = c + (direction == 2) - (direction == 3)
            if 0 <= nr < side and 0 <= nc < side:
                near = nr * side + nc
                if cells[near] != WALL and distance[near] < 0:
                    distance[near] = distance[cell] + 1
                    queue[tail] = near
                    tail += 1
    return distance


@njit
def fill_dead_ends(tokens: Cells, rounds: NDArray[np.int64]) -> Cells:
    """Close dead ends round by round; enough rounds leave the solution.

    A round closes every open cell with at most one neighbour that is not closed.

    Args:
        tokens: mazes (n, side * side) uint8.
        rounds: (n,) number of rounds for each maze.

    Returns:
        Labels (n, side * side) uint8: WAY where a cell is still open.
    """
    side = int(np.sqrt(tokens.shape[1]))
    labels = np.where(tokens == OPEN, WAY, tokens)
    for k in range(len(tokens)):
        for _ in range(rounds[k]):
            before = labels[k].copy()
            for cell in np.flatnonzero(before == WAY):
                row, col = cell // side, cell % side
                ways = 0
                ways += row > 0 and before[cell - side] > OPEN
                ways += row < side - 1 and before[cell + side] > OPEN
                ways += col > 0 and before[cell - 1] > OPEN
                ways += col < side - 1 and before[cell + 1] > OPEN
                if ways <= 1:
                    labels[k, cell] = OPEN
            if (before == labels[k]).all():
                break
    return labels


@njit
def _maze(side: int, shortest: int, longest: int) -> tuple[Cells, Cells]:
    """Make tokens and labels (side * side,) of a maze whose path has that many steps."""
    while True:
        grid = _carve(side)
        rooms = (side + 1) // 2
        for _ in range(TRIES):
            start = 2 * np.random.randint(rooms) * side + 2 * np.random.randint(rooms)
            goal = 2 * np.random.randint(rooms) * side + 2 * np.random.randint(rooms)
            distance = _distances(grid, start)
            if not shortest <= distance[goal] <= longest:
                continue
            tokens = grid.ravel().copy()
            labels = tokens.copy()
            cell = goal
            while cell != start:
                labels[cell] = WAY
                r = cell // side
                c = cell % side
                for direction in range(4):
                    nr = r + (direction == 0) - (direction == 1)
                    nc = c + (direction == 2) - (direction == 3)
                    if 0 <= nr < side and 0 <= nc < side:
                        near = nr * side + nc
                        if distance[near] == distance[cell] - 1:
                            cell = near
                            break
            for cells in (tokens, labels):
                cells[start] = START
                cells[goal] = GOAL
            return tokens, labels


@njit
def _generate(count: int, side: int, near: float, seed: int) -> tuple[Cells, Cells]:
    np.random.seed(seed)
    tokens = np.empty((count, side * side), np.uint8)
    labels = np.empty((count, side * side), np.uint8)
    for k in range(count):
        shortest = SHORTEST
        longest = side * side
        if near and np.random.random() < near:
            shortest = 2
            longest = SHORTEST
        tokens[k], labels[k] = _maze(side, shortest, longest)
    return tokens, labels


def generate(count: int, seed: int) -> tuple[Cells, Cells]:
    """Make mazes; the same seed gives the same mazes.

    Args:
        count: number of mazes.
        seed: of the random numbers.

    Returns:
        Tokens and labels, (count, SIDE * SIDE) uint8 each.
    """
    return _generate(count, SIDE, 0.0, seed)


def stream(rng: np.random.Generator, batch: int) -> Iterator[tuple[Cells, Cells]]:
    """Yield endless batches of new mazes to train on, some with a short path to learn from.

    Args:
        rng: source of random numbers.
        batch: number of mazes in a batch.
    """
    while True:
        seed = int(rng.integers(2**31, 2**32))
        yield _generate(batch, SIDE, NEAR, seed)
