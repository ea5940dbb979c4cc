"""Finds the rows of a model's puzzle-embedding table that belong to a task and its variants."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from trm_edge.arc.augmentation import (
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
        name: as the table has it, such as ``007bbfb7|||t3|||0314256789``.
        row: of the table.
        parsed: what the name says.
    """

    name: str
    row: int
    parsed: AugmentedName


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
        joins: names join their parts as published; otherwise as HRM's datasets do.
    """

    def __init__(self, names: Sequence[str] | None, rows: int, tasks: Iterable[str]) -> None:
        self.are_shared = rows <= 1
        self.joins = True
        self._variants: dict[str, list[VariantRow]] = {task: [] for task in tasks}
        if self.are_shared:
            return
        if names is None or len(names) != rows:
            raise PuzzleError(
                "the bundle does not say which task each row of its puzzle-embedding table belongs "
                "to. Export the checkpoint again with the identifiers.json of its dataset beside "
                "it, or pass the folder of the dataset that it was trained on."
            )
        self.joins = any(SEPARATOR in name for name in names)
        parse = parse_name if self.joins else parse_hrm_name
        for row, name in enumerate(names):
            # Most rows belong to tasks that are not asked; their names are not taken apart.
            if self.joins and name.partition(SEPARATOR)[0] not in self._variants:
                continue
            self._add(name, row, parse(name))

    def _add(self, name: str, row: int, parsed: AugmentedName) -> None:
        variants = self._variants.get(parsed.task)
        if variants is None:
            return
        if name == parsed.task:
            variants.insert(0, VariantRow(name, row, parsed))
        else:
            variants.append(VariantRow(name, row, parsed))

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
        return [VariantRow(name, 0, parse_name(name)) for name in drawn.names()]


def missing_rows_sentence(missing: Sequence[str], asked: int) -> str:
    """Say which tasks a model has no rows for, and what can be done.

    Args:
        missing: names of these tasks.
        asked: number of all tasks.
    """
    shown = ", ".join(missing[:_SHOWN])
    if len(missing) > _SHOWN:
        shown = f"{shown} and {len(missing) - _SHOWN} more"
    return f"the bundle has no row for {len(missing)} of {asked} tasks: {shown}. {NO_ROWS_ADVICE}"
