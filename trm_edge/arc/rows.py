"""Finds the rows of a model's puzzle-embedding table that belong to a task and its variants."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from trm_edge.arc.augmentation import (
    IDENTITY,
    SEPARATOR,
    AugmentedName,
    parse_hrm_name,
    parse_name,
)
from trm_edge.arc.task import ArcTask
from trm_edge.arc.variants import draw_variants
from trm_edge.errors import PuzzleError

NO_ROWS_ADVICE = (
    "Export a checkpoint that was trained on them, or train one on them first with: trm-edge adapt "
    "CHECKPOINT TASKS.json"
)
_SHOWN = 20  # tasks that a message names
_MOST_DRAWN = 1000  # variants of a task, for a model without rows
_SEED = 42  # that of the published builder


class VariantRow(NamedTuple):
    """A variant of a task that the model knows.

    Args:
        name: in the published form, such as ``007bbfb7|||t3|||0314256789``.
        row: of the table.
    """

    name: str
    row: int


class TaskRows:
    """The rows of a table by the tasks that they belong to.

    Args:
        names: the name of row n at place n; None where they are unknown.
        rows: of the table; a single row, or none, stands for every puzzle.
        tasks: bare names of the tasks that are asked; the rows of others are not kept.

    Raises:
        PuzzleError: the names are unknown, and the model tells puzzles apart.

    Attributes:
        are_shared: the same row stands for every puzzle, or the model has none.
    """

    def __init__(self, names: Sequence[str] | None, rows: int, tasks: Iterable[str]) -> None:
        self.are_shared = rows <= 1
        self._variants: dict[str, list[VariantRow]] = {task: [] for task in tasks}
        if self.are_shared:
            return
        if names is None or len(names) != rows:
            raise PuzzleError(
                "the bundle does not say which task each row of its puzzle-embedding table belongs "
                "to. Export the checkpoint again with the identifiers.json of its dataset beside "
                "it, or pass the folder of the dataset that it was trained on."
            )
        is_published = any(SEPARATOR in name for name in names)
        for row, name in enumerate(names):
            # Most rows belong to tasks that are not asked; their names are not taken apart.
            if not is_published:
                self._add(row, parse_hrm_name(name))
            elif name.partition(SEPARATOR)[0] in self._variants:
                self._add_published(row, name)

    def _add_published(self, row: int, name: str) -> None:
        try:
            self._add(row, parse_name(name))
        except ValueError:
            return  # a name of somebody else's making, which no variant has

    def _add(self, row: int, name: AugmentedName) -> None:
        task, augmentation = name
        variants = self._variants.get(task)
        if variants is None:
            return
        if augmentation is IDENTITY:
            variants.insert(0, VariantRow(task, row))
        else:
            variants.append(VariantRow(augmentation.name(task), row))

    def row(self, task: str) -> int | None:
        """Find the row of an unaugmented task.

        Args:
            task: its bare name.

        Returns:
            The row; None where the model has none.
        """
        if self.are_shared:
            return 0
        for variant in self._variants[task]:
            if variant.name == task:
                return variant.row
        return None

    def missing(self) -> list[str]:
        """Name the tasks without a row of their own, in the order in which they are asked."""
        return [task for task in self._variants if self.row(task) is None]

    def variants(self, task: ArcTask, most: int | None = None) -> list[VariantRow]:
        """List the variants of a task that the model knows, the original first.

        A model that does not tell puzzles apart knows every variant; the same ones are drawn for it
        at every call.

        Args:
            task: the task.
            most: variants beside the original; None: all that the model has rows for, or as many
                as are published.
        """
        if not self.are_shared:
            known = self._variants[task.name]
            return known if most is None else known[: most + 1]
        count = _MOST_DRAWN if most is None else most
        drawn = draw_variants(task, count, np.random.RandomState(_SEED))
        return [VariantRow(name, 0) for name in drawn.names()]


def missing_rows_sentence(missing: Sequence[str], tasks: int) -> str:
    """Say which tasks a model has no rows for, and what can be done.

    Args:
        missing: names of these tasks.
        tasks: number of all tasks that are asked.
    """
    shown = ", ".join(missing[:_SHOWN])
    if len(missing) > _SHOWN:
        shown = f"{shown} and {len(missing) - _SHOWN} more"
    return f"the bundle has no row for {len(missing)} of {tasks} tasks: {shown}. {NO_ROWS_ADVICE}"
