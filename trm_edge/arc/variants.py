"""Draws the augmented variants of a task, in the published builder's order of random numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trm_edge.arc.augmentation import SEPARATOR, TRANSFORMS
from trm_edge.arc.grids import COLOURS, Grid
from trm_edge.arc.task import ArcTask
from trm_edge.dihedral import dihedral

_TRIALS = 5  # for each variant that is wanted
_SIZE_OFFSET = 100  # sets a grid's size apart from its colours


@dataclass(frozen=True)
class Variants:
    """A task and how each of its variants is augmented, the original first.

    Args:
        task: the task.
        transforms: (variants,) uint8 number of the turn or reflection.
        colours: (variants, 10) uint8 new colour of each colour.
    """

    task: ArcTask
    transforms: NDArray[np.uint8]
    colours: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.transforms)

    def names(self) -> Iterator[str]:
        """Name each variant; the original has the task's bare name."""
        yield self.task.name
        digits = self.colours + ord("0")
        for number in range(1, len(self)):
            permutation = digits[number].tobytes().decode("ascii")
            transform = self.transforms[number]
            yield f"{self.task.name}{SEPARATOR}t{transform}{SEPARATOR}{permutation}"


def draw_variants(task: ArcTask, count: int, random: np.random.RandomState) -> Variants:
    """Draw distinct variants of a task.

    Args:
        task: the task.
        count: variants beside the original; a task of few colours or of symmetric grids has fewer.
        random: its state moves on by one whole number and one permutation a trial.

    Returns:
        At most ``count`` variants and the original.
    """
    images = _PairImages(task)
    transforms = [0]
    colours = [np.arange(COLOURS, dtype=np.uint8)]
    seen = {images.fingerprint(0, colours[0])}
    others = np.arange(1, COLOURS, dtype=np.uint8)
    for _ in range(_TRIALS * count):
        transform = int(random.randint(0, TRANSFORMS))
        permutation = np.zeros(COLOURS, np.uint8)
        permutation[1:] = random.permutation(others)
        fingerprint = images.fingerprint(transform, permutation)
        if fingerprint not in seen:
            seen.add(fingerprint)
            transforms.append(transform)
            colours.append(permutation)
        if len(transforms) > count:
            break
    return Variants(task, np.array(transforms, np.uint8), np.array(colours))


class _PairImages:
    """The pairs of a task under each transform, as bytes in which colours are soon replaced."""

    def __init__(self, task: ArcTask) -> None:
        self._pairs = [pair for pairs in task.pairs.values() for pair in pairs]
        self._images: dict[int, list[bytes]] = {}
        self._table = np.arange(256, dtype=np.uint8)

    def fingerprint(self, transform: int, colours: NDArray[np.uint8]) -> bytes:
        """Hash the set of augmented pairs, whatever their order."""
        images = self._images.get(transform)
        if images is None:
            images = []
            for pair in self._pairs:
                images.append(_bytes(pair.input, transform) + _bytes(pair.answer(), transform))
            self._images[transform] = images
        self._table[:COLOURS] = colours
        table = self._table.tobytes()
        augmented = sorted(image.translate(table) for image in images)
        return hashlib.sha256(b"".join(augmented)).digest()


def _bytes(grid: Grid, transform: int) -> bytes:
    image = dihedral(grid, transform)
    rows, columns = image.shape
    return bytes([rows + _SIZE_OFFSET, columns + _SIZE_OFFSET]) + image.tobytes()
