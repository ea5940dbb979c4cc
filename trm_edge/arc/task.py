"""A task of ARC-AGI: demonstrations, and test inputs with or without their outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from trm_edge.arc.augmentation import SEPARATOR
from trm_edge.arc.grids import Grid, GridError, parse_grid
from trm_edge.printable import excerpt

TRAIN = "train"
TEST = "test"
_SPLITS = (TRAIN, TEST)
_MOST_PAIRS = 1000  # of a task; the public ones have at most 14
_LONGEST_NAME = 200  # characters


class TaskError(ValueError):
    """A task cannot be used; the message is a clause that says why."""


class TaskProblem(NamedTuple):
    """A task that was left out.

    Args:
        source: the file; empty where the reason names it.
        task: its name; empty where the file as a whole is meant.
        reason: a clause.
    """

    source: str
    task: str
    reason: str

    def __str__(self) -> str:
        places = [self.source] if self.source else []
        if self.task:
            places.append(f"task {excerpt(self.task, 60)}")
        return ": ".join([*places, f"{self.reason}."])


class Pair(NamedTuple):
    """An input grid and its output.

    Args:
        input: the question.
        output: the answer; None where it is unknown.
    """

    input: Grid
    output: Grid | None

    def answer(self) -> Grid:
        """Return the output, or what stands for an unknown one: the grid ``[[0]]``."""
        return np.zeros((1, 1), np.uint8) if self.output is None else self.output


@dataclass(frozen=True)
class ArcTask:
    """A task.

    Args:
        name: its bare name, such as ``007bbfb7``.
        pairs: pairs by ``train`` (the demonstrations) and ``test``, in the order of the file.
    """

    name: str
    pairs: dict[str, tuple[Pair, ...]]

    @property
    def demonstrations(self) -> tuple[Pair, ...]:
        """The pairs that explain the task."""
        return self.pairs[TRAIN]

    @property
    def tests(self) -> tuple[Pair, ...]:
        """The pairs that are asked."""
        return self.pairs[TEST]

    def to_json(self) -> dict[str, list[dict[str, Any]]]:
        """Return the task as the public files have it, an unknown output as ``[[0]]``."""
        content: dict[str, list[dict[str, Any]]] = {}
        for split, pairs in self.pairs.items():
            content[split] = []
            for pair in pairs:
                grids = {"input": pair.input.tolist(), "output": pair.answer().tolist()}
                content[split].append(grids)
        return content


def parse_task(name: str, value: Any, solutions: Sequence[Any] | None = None) -> ArcTask:
    """Check a task of a JSON file.

    Args:
        name: the task's name.
        value: as parsed: an object with ``train`` and ``test``, in any order.
        solutions: outputs of the test inputs, as parsed; None for those in ``value``.

    Raises:
        TaskError: says which grid is wrong, and why.
    """
    check_name(name)
    if not isinstance(value, dict):
        raise TaskError("it must be an object with train and test")
    missing = [split for split in _SPLITS if split not in value]
    if missing:
        raise TaskError(f"it has no {missing[0]!r}")
    pairs: dict[str, tuple[Pair, ...]] = {}
    for split in value:
        if split in _SPLITS:
            pairs[split] = _parse_pairs(split, value[split], solutions if split == TEST else None)
    return ArcTask(name, pairs)


def check_name(name: str) -> None:
    """Refuse a name that could not be told from an augmented one.

    Args:
        name: of a task.

    Raises:
        TaskError: says why.
    """
    if not name or len(name) > _LONGEST_NAME:
        raise TaskError(f"its name must have 1 to {_LONGEST_NAME} characters, but has {len(name)}")
    if SEPARATOR in name:
        raise TaskError(f"its name holds {SEPARATOR}, which separates the parts of augmented names")


def _parse_pairs(split: str, value: Any, solutions: Sequence[Any] | None) -> tuple[Pair, ...]:
    noun = "demonstration" if split == TRAIN else "test input"
    if not isinstance(value, list) or not value:
        raise TaskError(f"it has no {noun}")
    if len(value) > _MOST_PAIRS:
        raise TaskError(f"it has {len(value)} {noun}s, and at most {_MOST_PAIRS} are read")
    if solutions is not None and len(solutions) != len(value):
        raise TaskError(f"it has {len(value)} test inputs, but {len(solutions)} solutions")
    pairs = []
    for number, pair in enumerate(value, start=1):
        place = f"{noun} {number}"
        if not isinstance(pair, dict) or "input" not in pair:
            raise TaskError(f"{place} has no 'input'")
        question = _parse_grid(pair["input"], f"the input of {place}")
        answer = pair.get("output")
        if solutions is not None:
            answer = solutions[number - 1]
        if answer is None and split == TRAIN:
            raise TaskError(f"{place} has no 'output'")
        output = None
        if answer is not None:
            output = _parse_grid(answer, f"the output of {place}")
        pairs.append(Pair(question, output))
    return tuple(pairs)


def _parse_grid(value: Any, place: str) -> Grid:
    try:
        return parse_grid(value)
    except GridError as error:
        raise TaskError(f"{place}: {error}") from error
