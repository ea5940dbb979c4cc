from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.scripts import run

# Walks are counted by powers of the adjacency matrix: the fewest steps in which there is one.
CHECKED = """
import numpy as np, maze_generator as g

SIDE = g.SIDE
CELLS = np.stack(np.divmod(np.arange(SIDE**2), SIDE), 1)
NEAR = np.abs(CELLS[:, None] - CELLS).sum(-1) == 1


def steps_of(tokens, labels):
    start, goal = (int(np.flatnonzero(tokens == kind)[0]) for kind in (g.START, g.GOAL))
    assert (tokens == g.START).sum() == (tokens == g.GOAL).sum() == 1
    adjacency = (NEAR & (tokens != g.WALL)[:, None]).astype(int)  # (to, from)
    ahead, back = np.eye(SIDE**2, dtype=int)[[start, goal]]
    forward, steps = [ahead], 0
    while not forward[-1][goal]:
        forward.append(adjacency @ forward[-1])
        steps += 1
    assert forward[-1][goal] == 1
    way = np.zeros(SIDE**2, bool)
    for reached in forward[::-1]:
        way |= (reached > 0) & (back > 0)
        back = adjacency @ back
    assert way.sum() == steps + 1
    marked = np.where(way & (tokens == g.OPEN), g.WAY, tokens)
    assert (labels == marked).all()
    return steps


def is_a_tree(tokens):
    rooms = ((SIDE + 1) // 2) ** 2
    assert (tokens.reshape(SIDE, SIDE)[::2, ::2] != g.WALL).all()
    return (tokens != g.WALL).sum() == 2 * rooms - 1
"""


def test_mazes_are_trees_with_one_way(tmp_path: Path) -> None:
    pytest.importorskip("numba", reason="needs pip install 'trm-edge[train]'")
    code = """
tokens, labels = g.generate(200, seed=7)
steps = [steps_of(*maze) for maze in zip(tokens, labels)]
assert min(steps) == g.SHORTEST and max(steps) > 3 * g.SHORTEST
assert all(is_a_tree(maze) for maze in tokens)
again, other = g.generate(200, seed=7), g.generate(200, seed=8)
assert (tokens == again[0]).all() and (labels == again[1]).all()
assert not {maze.tobytes() for maze in tokens} & {maze.tobytes() for maze in other[0]}

# A stream to train on: new mazes, short ways among them.
first, second = (next(s) for s in [g.stream(np.random.default_rng(0), 64)] for _ in range(2))
assert not {maze.tobytes() for maze in first[0]} & {maze.tobytes() for maze in second[0]}
steps = np.array([steps_of(*maze) for maze in zip(*first)])
assert steps.min() < g.SHORTEST < steps.max()
assert all(is_a_tree(maze) for maze in first[0])
print("ok")
"""
    assert run(CHECKED + code, tmp_path) == "ok\n"


def test_filling_dead_ends_leaves_the_way(tmp_path: Path) -> None:
    """Round by round against neighbours counted by the adjacency matrix."""
    pytest.importorskip("numba", reason="needs pip install 'trm-edge[train]'")
    code = """
tokens, labels = g.generate(50, seed=3)
for rounds in (0, 1, 2, 5, SIDE**2):
    filled = g.fill_dead_ends(tokens, np.full(len(tokens), rounds))
    for maze, answer, found in zip(tokens, labels, filled):
        live = maze != g.WALL
        for _ in range(rounds):
            dead = live & (NEAR @ live.astype(int) <= 1) & (maze == g.OPEN)
            live = live & ~dead
        expected = np.where(live & (maze == g.OPEN), g.WAY, maze)
        assert (found == expected).all()
        assert rounds < SIDE**2 or (found == answer).all()
print("ok")
"""
    assert run(CHECKED + code, tmp_path) == "ok\n"
