"""Other forms of the same puzzle: cells moved and tokens renamed, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Augmentation:
    """A change of a puzzle that changes its answer in the same way."""

    cells: NDArray[np.int64]  # (L,): cell i of the view is cell cells[i] of the puzzle
    tokens: NDArray[np.int64]  # (V,): token t of the puzzle is tokens[t] of the view

    @classmethod
    def identity(cls, cells: int, tokens: int) -> Augmentation:
        return cls(np.arange(cells), np.arange(tokens))

    def apply(self, puzzle: NDArray[Any]) -> NDArray[Any]:
        """Token ids (L,) as the view has them."""
        viewed: NDArray[Any] = self.tokens[np.asarray(puzzle)[self.cells]].astype(puzzle.dtype)
        return viewed

    def invert(self, answer: NDArray[Any]) -> NDArray[Any]:
        """The answer (L,) to the view, as one to the puzzle."""
        answered: NDArray[Any] = np.empty_like(answer)
        answered[self.cells] = np.argsort(self.tokens)[answer].astype(answer.dtype)
        return answered


def squares(side: int, tokens: int) -> list[Augmentation]:
    """The eight ways to lay down a square of cells, as it is first."""
    grid = np.arange(side**2).reshape(side, side)
    turned = [np.rot90(form, turns) for form in (grid, grid.T) for turns in range(4)]
    return [Augmentation(form.ravel().copy(), np.arange(tokens)) for form in turned]
