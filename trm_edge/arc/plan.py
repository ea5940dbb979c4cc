"""What a run asks, and in which order: every test input under variants of its task, evenly.

Round by round each test input is asked under its next variant, the original first. So all inputs
have as many votes as each other whenever the run is stopped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from trm_edge.arc.augmentation import parse_name
from trm_edge.arc.encoding import encode
from trm_edge.arc.grids import Grid
from trm_edge.arc.rows import TaskRows, VariantRow
from trm_edge.arc.task import ArcTask
from trm_edge.arc.votes import grid_key
from trm_edge.identifiers import BLANK
from trm_edge.puzzle import Puzzle

_CACHED_NAMES = 4096  # test inputs of a task are asked one after another
_parsed = lru_cache(_CACHED_NAMES)(parse_name)


class AskedInput(NamedTuple):
    """A test input that is asked; equal inputs of a task are asked once.

    Args:
        task: name of its task.
        grid: the input.
    """

    task: str
    grid: Grid


class Question(NamedTuple):
    """A test input under one variant of its task.

    Args:
        number: of the input, from 0.
        variant: whose name and row it is asked with.
        identifier: of the variant in the predictions.
    """

    number: int
    variant: VariantRow
    identifier: int


@dataclass(frozen=True)
class Plan:
    """The questions of a run.

    Args:
        inputs: test inputs that the model can be asked.
        variants: of each of their tasks, by name, the original first.
        names: of the identifiers in the predictions, the blank one first.
    """

    inputs: tuple[AskedInput, ...]
    variants: dict[str, tuple[tuple[VariantRow, int], ...]]
    names: tuple[str, ...]

    @property
    def rounds(self) -> int:
        """Questions about the test input that has the most."""
        return max((len(variants) for variants in self.variants.values()), default=0)

    @property
    def questions(self) -> int:
        """Questions in all."""
        return sum(self.rounds_of(number) for number in range(len(self.inputs)))

    def rounds_of(self, number: int) -> int:
        """Count the questions about a test input.

        Args:
            number: of the input, from 0.
        """
        return len(self.variants[self.inputs[number].task])

    def ask(self, rounds: Iterable[int], numbers: Sequence[int]) -> Iterator[Question]:
        """List questions round by round.

        Args:
            rounds: of which; those that a task has no variant for are skipped.
            numbers: of the inputs that are asked.
        """
        for index in rounds:
            for number in numbers:
                variants = self.variants[self.inputs[number].task]
                if index < len(variants):
                    variant, identifier = variants[index]
                    yield Question(number, variant, identifier)

    def puzzle(self, question: Question) -> Puzzle:
        """Encode a question.

        Args:
            question: of this plan.
        """
        grid = _parsed(question.variant.name).augmentation.apply(self.inputs[question.number].grid)
        return Puzzle(encode(grid).astype(np.int32), question.variant.row)

    def sha256(self) -> str:
        """Hash everything that is asked: inputs, names, rows and their order."""
        digest = hashlib.sha256()
        for task, grid in self.inputs:
            digest.update(f"{task}\n".encode())
            digest.update(grid_key(grid))
        for variants in self.variants.values():
            for variant, identifier in variants:
                digest.update(f"{variant.name} {variant.row} {identifier}\n".encode())
        return digest.hexdigest()


def make_plan(tasks: Sequence[ArcTask], rows: TaskRows, augmentations: int | None) -> Plan:
    """Plan the questions about tasks; those without a row of their own are left out.

    Args:
        tasks: to ask.
        rows: of the model.
        augmentations: variants of each task beside the original; None: all that there are.
    """
    inputs: list[AskedInput] = []
    variants = {}
    names = [BLANK]
    for task in tasks:
        if rows.row(task.name) is None:
            continue
        distinct = {grid_key(pair.input): pair.input for pair in task.tests}
        inputs += [AskedInput(task.name, grid) for grid in distinct.values()]
        numbered = []
        for variant in rows.variants(task, augmentations):
            # Where a row stands for every puzzle, the names are numbered here.
            identifier = len(names) if rows.are_shared else variant.row
            names += [BLANK] * (identifier + 1 - len(names))
            names[identifier] = variant.name
            numbered.append((variant, identifier))
        variants[task.name] = tuple(numbered)
    return Plan(tuple(inputs), variants, tuple(names))
