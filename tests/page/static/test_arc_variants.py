"""Variants on the page are made, turned back and counted as by the Python code."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.page.node import run_script
from trm_edge.arc.augmentation import TRANSFORMS, Augmentation

VARIANTS = """
const { augmented, original } = await load("arc-variants.js");
return data.map(([grid, variant]) => {
  const image = augmented(grid, variant);
  return [image, original(image, variant)];
});
"""
VOTES = """
const { VoteCount } = await load("arc-variants.js");
const count = new VoteCount();
for (const [grid, confidence] of data) count.add(grid, confidence);
return count.ranking();
"""


def permutation(rng: np.random.Generator) -> str:
    digits = [0, *(1 + rng.permutation(9)).tolist()]
    return "".join(str(digit) for digit in digits)


def grids(rng: np.random.Generator) -> list[NDArray[np.uint8]]:
    shapes = [(1, 1), (2, 3), (5, 1), (4, 4)]
    return [rng.integers(0, 10, shape).astype(np.uint8) for shape in shapes]


def test_grids_are_augmented_and_turned_back() -> None:
    rng = np.random.default_rng(0)
    cases = []
    expected = []
    for transform in range(TRANSFORMS):
        for grid in grids(rng):
            augmentation = Augmentation(transform, permutation(rng))
            cases.append([grid.tolist(), [transform, augmentation.permutation]])
            expected.append([augmentation.apply(grid).tolist(), grid.tolist()])
    assert run_script(VARIANTS, cases) == expected


def test_an_answer_without_a_grid_stays_one() -> None:
    cases = [[[], [transform, "0123456789"]] for transform in range(TRANSFORMS)]
    assert run_script(VARIANTS, cases) == [[[], []]] * TRANSFORMS


def test_votes_come_before_confidence() -> None:
    votes = [
        ([[1]], 0.25),
        ([[2]], 0.75),
        ([[3]], 0.5),
        ([[1]], 0.25),
        ([[4]], 0.75),
        ([], 0.5),
    ]
    ranking = run_script(VOTES, votes)
    order = [(entry["grid"], entry["votes"], entry["confidence"]) for entry in ranking]
    assert order == [
        ([[1]], 2, 0.25),
        ([[2]], 1, 0.75),
        ([[4]], 1, 0.75),
        ([[3]], 1, 0.5),
        ([], 1, 0.5),
    ]
