"""Augmented names and what they say: a turn or reflection, and a permutation of the colours.

``{task}|||t{number}|||{permutation}`` is the published form, as in ``007bbfb7|||t3|||0314256789``;
HRM's datasets join the parts as ``{task}_t{number}_{permutation}``. Digit i of the permutation is
the new colour of colour i, and the first, the background, is always 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trm_edge.arc.grids import COLOURS, Grid
from trm_edge.dihedral import DIHEDRAL_INVERSES, dihedral

SEPARATOR = "|||"
FIRST_COLOUR = 2  # token of colour 0; before it the padding and the end marker
TRANSFORMS = len(DIHEDRAL_INVERSES)
_PARTS = re.compile(r"t([0-7])\|\|\|([0-9]{10})")
_HRM_NAME = re.compile(r"(.+)_t([0-7])_(0[0-9]{9})", re.DOTALL)


@dataclass(frozen=True)
class Augmentation:
    """A change that is applied to every grid of a task.

    Args:
        transform: number of the turn or reflection; see :func:`~trm_edge.dihedral.dihedral`.
        permutation: ten digits; digit i is the new colour of colour i.

    >>> Augmentation(1, "0213456789").apply(np.array([[1, 2]])).tolist()
    [[1], [2]]
    """

    transform: int = 0
    permutation: str = "0123456789"

    def __post_init__(self) -> None:
        if not 0 <= self.transform < TRANSFORMS:
            raise ValueError(f"the transform must be 0 to {TRANSFORMS - 1}, got {self.transform}")
        if sorted(self.permutation) != list("0123456789"):
            raise ValueError(f"{self.permutation!r} is not a permutation of the ten digits")

    @cached_property
    def colours(self) -> NDArray[np.uint8]:
        """The new colour of each colour, (10,) uint8."""
        return np.array([int(digit) for digit in self.permutation], np.uint8)

    @cached_property
    def token_table(self) -> bytes:
        """The new token of each token, for ``bytes.translate``; other tokens stay."""
        return _token_table(self.colours)

    @cached_property
    def inverse_token_table(self) -> bytes:
        """The old token of each token, for ``bytes.translate``; other tokens stay."""
        return _token_table(np.argsort(self.colours))

    def name(self, task: str) -> str:
        """Name the augmented task.

        Args:
            task: the task's bare name.
        """
        return f"{task}{SEPARATOR}t{self.transform}{SEPARATOR}{self.permutation}"

    def apply(self, grid: NDArray[Any]) -> Grid:
        """Augment a grid.

        Args:
            grid: (rows, columns), colours 0..9.
        """
        return np.ascontiguousarray(dihedral(self.colours[grid], self.transform))

    def invert(self, grid: NDArray[Any]) -> Grid:
        """Turn an augmented grid back.

        Args:
            grid: (rows, columns), colours 0..9; one without cells stays as it is.
        """
        colours = np.argsort(self.colours).astype(np.uint8)
        turned = dihedral(grid, DIHEDRAL_INVERSES[self.transform])
        return np.ascontiguousarray(colours[turned])


IDENTITY = Augmentation()


class AugmentedName(NamedTuple):
    """What the name of a puzzle-embedding row says.

    Args:
        task: the task's bare name.
        augmentation: of its grids.
    """

    task: str
    augmentation: Augmentation


def parse_name(name: str) -> AugmentedName:
    """Take an augmented name apart.

    Args:
        name: without ``|||`` it is a task's own, with the identity.

    Raises:
        ValueError: what follows ``|||`` is no augmentation; the message is a clause.

    >>> parse_name("007bbfb7|||t3|||0314256789").task
    '007bbfb7'
    """
    task, separator, _ = name.partition(SEPARATOR)
    if not separator:
        return AugmentedName(name, IDENTITY)
    match = _PARTS.fullmatch(SEPARATOR.join(name.split(SEPARATOR)[-2:]))
    if match is None:
        raise ValueError("what follows ||| must be t0 to t7, |||, and ten digits")
    return AugmentedName(task, Augmentation(int(match[1]), match[2]))


def parse_hrm_name(name: str) -> AugmentedName:
    """Take a name of HRM's datasets apart.

    Args:
        name: without an augmentation at its end it is a task's own.

    >>> parse_hrm_name("007bbfb7_t3_0314256789").augmentation.transform
    3
    """
    match = _HRM_NAME.fullmatch(name)
    if match is None or len(set(match[3])) != COLOURS:
        return AugmentedName(name, IDENTITY)
    return AugmentedName(match[1], Augmentation(int(match[2]), match[3]))


def _token_table(colours: NDArray[Any]) -> bytes:
    table = np.arange(256, dtype=np.uint8)
    table[FIRST_COLOUR : FIRST_COLOUR + COLOURS] = colours + FIRST_COLOUR
    return table.tobytes()
