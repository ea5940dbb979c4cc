"""Augmentations of a puzzle: its cells moved and its tokens renamed, and the way back.

What keeps an answer an answer may depend on the puzzle's size, where one model solves several. So
tasks list augmentations that are chosen for each puzzle (:class:`PuzzleAugmentation`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class PuzzleAugmentation(Protocol):
    """What is an augmentation once the puzzle is known."""

    def for_puzzle(self, puzzle: NDArray[Any]) -> Augmentation:
        """Return the augmentation of a puzzle.

        Args:
            puzzle: (L,) token ids.
        """


@dataclass(frozen=True)
class Augmentation:
    """A change of a puzzle that changes its answer in the same way.

    Args:
        cells: (L,) int64; cell i of the augmented puzzle is cell ``cells[i]`` of the puzzle.
        tokens: (V,) int64; token t of the puzzle is ``tokens[t]`` of the augmented puzzle.
    """

    cells: NDArray[np.int64]
    tokens: NDArray[np.int64]

    @classmethod
    def identity(cls, cells: int, tokens: int) -> Augmentation:
        """Make the augmentation that changes nothing.

        Args:
            cells: L, cells of a puzzle.
            tokens: V, token ids.
        """
        return cls(np.arange(cells), np.arange(tokens))

    def for_puzzle(self, puzzle: NDArray[Any]) -> Augmentation:
        """Return this augmentation, which is the same for every puzzle.

        Args:
            puzzle: (L,) token ids.
        """
        return self

    def apply(self, puzzle: NDArray[Any]) -> NDArray[Any]:
        """Augment a puzzle.

        Args:
            puzzle: (L,) token ids.

        Returns:
            (L,) token ids of the same type.
        """
        moved = np.asarray(puzzle)[self.cells]
        augmented: NDArray[Any] = self.tokens[moved].astype(puzzle.dtype)
        return augmented

    def invert(self, answer: NDArray[Any]) -> NDArray[Any]:
        """Turn the answer to the augmented puzzle into one to the puzzle.

        Args:
            answer: (L,) token ids.

        Returns:
            (L,) token ids of the same type.
        """
        names = np.argsort(self.tokens)
        original: NDArray[Any] = np.empty_like(answer)
        original[self.cells] = names[answer].astype(answer.dtype)
        return original


@dataclass(frozen=True)
class SizedAugmentation:
    """An augmentation of puzzles of several sizes.

    Args:
        by_size: the augmentation of each size.
        size_of: returns the size of a puzzle, (L,) token ids.
    """

    by_size: Mapping[int, Augmentation]
    size_of: Callable[[NDArray[Any]], int]

    def for_puzzle(self, puzzle: NDArray[Any]) -> Augmentation:
        """Return the augmentation of the puzzle's size.

        Args:
            puzzle: (L,) token ids.
        """
        return self.by_size[self.size_of(puzzle)]


def squares(side: int, tokens: int) -> list[Augmentation]:
    """Make the eight rotations and reflections of a square of cells, the identity first.

    Args:
        side: cells in a row.
        tokens: V, token ids.
    """
    grid = np.arange(side**2).reshape(side, side)
    augmentations = []
    for reflected in (grid, grid.T):
        for turns in range(4):
            cells = np.rot90(reflected, turns).ravel().copy()
            augmentations.append(Augmentation(cells, np.arange(tokens)))
    return augmentations
