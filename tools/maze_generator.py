"""Mazes with exactly one way, in the published vocabulary of six tokens.

Rooms lie at the even rows and columns of an odd grid, and a random tree of corridors joins them:
grown from its newest room it winds, from a random one it branches.
"""

from __future__ import annotations

from collections.abc import Iterator

import numba
import numpy as np
from numpy.typing import NDArray

SIDE = 13
WALL, OPEN, START, GOAL, WAY = 1, 2, 3, 4, 5  # 0 is padding
SHORTEST = 8  # steps from start to goal, at least
TRIES = 8  # pairs of start and goal, before a new grid is carved
MOST_WINDING = 0.5  # share of corridors grown from the newest room, at most
NEAR = 0.1  # share of training mazes with fewer


@numba.njit
def _carve(side: int):
    """A grid (side, side) of WALL and OPEN."""
    rooms = (side + 1) // 2
    grid = np.full((side, side), WALL, np.uint8)
    row_of = np.empty(rooms * rooms, np.int64)
    col_of = np.empty(rooms * rooms, np.int64)
    seen = np.zeros((rooms, rooms), np.bool_)
    winding = np.random.random() * MOST_WINDING
    row_of[0], col_of[0] = np.random.randint(rooms), np.random.randint(rooms)
    seen[row_of[0], col_of[0]] = True
    grid[2 * row_of[0], 2 * col_of[0]] = OPEN
    active = 1
    while active:
        k = active - 1 if np.random.random() < winding else np.random.randint(active)
        r, c = row_of[k], col_of[k]
        choices = 0
        chosen_r, chosen_c = -1, -1
        for direction in range(4):
            nr = r + (direction == 0) - (direction == 1)
            nc = c + (direction == 2) - (direction == 3)
            if 0 <= nr < rooms and 0 <= nc < rooms and not seen[nr, nc]:
                choices += 1
                if np.random.randint(choices) == 0:
                    chosen_r, chosen_c = nr, nc
        if not choices:
            active -= 1
            row_of[k], col_of[k] = row_of[active], col_of[active]
            continue
        seen[chosen_r, chosen_c] = True
        grid[r + chosen_r, c + chosen_c] = OPEN
        grid[2 * chosen_r, 2 * chosen_c] = OPEN
        row_of[active], col_of[active] = chosen_r, chosen_c
        active += 1
    return grid


@numba.njit
def _distances(grid, start: int):
    """Steps (side * side,) from ``start``, -1 at walls."""
    side = grid.shape[0]
    cells = grid.ravel()
    distance = np.full(side * side, -1, np.int64)
    queue = np.empty(side * side, np.int64)
    queue[0], head, tail = start, 0, 1
    distance[start] = 0
    while head < tail:
        cell = queue[head]
        head += 1
        r, c = cell // side, cell % side
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


@numba.njit
def fill_dead_ends(tokens, rounds):
    """What is still a way, (n, side * side), after so many rounds (n,) of filling dead ends.

    A round closes every open cell with at most one neighbour that is not closed; enough rounds
    leave the solution.
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


@numba.njit
def _maze(side: int, shortest: int, longest: int):
    """Tokens and labels (side * side,) of one maze with a way of so many steps."""
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
                r, c = cell // side, cell % side
                for direction in range(4):
                    nr = r + (direction == 0) - (direction == 1)
                    nc = c + (direction == 2) - (direction == 3)
                    if 0 <= nr < side and 0 <= nc < side:
                        near = nr * side + nc
                        if distance[near] == distance[cell] - 1:
                            cell = near
                            break
            for grid_ in (tokens, labels):
                grid_[start] = START
                grid_[goal] = GOAL
            return tokens, labels


@numba.njit
def _generate(count: int, side: int, near: float, seed: int):
    np.random.seed(seed)
    tokens = np.empty((count, side * side), np.uint8)
    labels = np.empty((count, side * side), np.uint8)
    for k in range(count):
        shortest, longest = SHORTEST, side * side
        if near and np.random.random() < near:
            shortest, longest = 2, SHORTEST
        tokens[k], labels[k] = _maze(side, shortest, longest)
    return tokens, labels


def generate(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Mazes and their solutions, (count, SIDE * SIDE); the same seed gives the same mazes."""
    return _generate(count, SIDE, 0.0, seed)


def stream(
    rng: np.random.Generator, batch: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Endless batches of new mazes to train on, a share of them with a short way to learn from."""
    while True:
        seed = int(rng.integers(2**31, 2**32))
        yield _generate(batch, SIDE, NEAR, seed)
