"""The demonstrations of tasks as an endless stream of training batches.

A batch has every task once, in a random order: a random variant of it, with all its demonstrations
moved at random on the canvas, as the published trainer draws them from a dataset.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from trm_edge.arc.augmentation import FIRST_COLOUR
from trm_edge.arc.canvases import PairCanvases
from trm_edge.arc.grids import COLOURS, SIDE
from trm_edge.arc.task import ArcTask
from trm_edge.training.numbered_variants import NumberedVariants
from trm_edge.training.trainer import Batch

MARKER = 1  # row and column of end markers beside a grid


def smallest_window(tasks: Sequence[ArcTask]) -> int:
    """Return the side of the smallest corner of the canvas that holds all grids and their markers.

    Args:
        tasks: with demonstrations and test inputs.
    """
    largest = 0
    for task in tasks:
        for pairs in task.pairs.values():
            for pair in pairs:
                largest = max(largest, *pair.input.shape, *pair.answer().shape)
    return min(largest + MARKER, SIDE)


class Demonstrations:
    """Training batches of tasks; call it with a source of random numbers.

    Args:
        tasks: variants of each task.
        window: side of the corner of the canvas that the tokens are of; no demonstration is larger.
    """

    def __init__(self, tasks: Sequence[NumberedVariants], window: int = SIDE) -> None:
        self.tasks = tasks
        self.window = window
        self._canvases = [PairCanvases(task.variants.task.demonstrations) for task in tasks]

    def __call__(self, random: np.random.Generator) -> Iterator[Batch]:
        """Yield batches without end: tokens and labels (n, window * window), rows (n,).

        The loss leaves out the padding around an answer, which the labels hold as it is.
        """
        while True:
            parts = []
            for number in random.permutation(len(self.tasks)):
                parts.append(self._task_rows(int(number), random))
            order = random.permutation(sum(len(rows) for _, _, rows in parts))
            tokens, labels, rows = (np.concatenate(part) for part in zip(*parts, strict=True))
            yield tokens[order], labels[order], rows[order]

    def _task_rows(self, number: int, random: np.random.Generator) -> Batch:
        """All demonstrations of a random variant of a task."""
        task = self.tasks[number]
        chosen = int(random.integers(len(task.variants)))
        table = np.arange(256, dtype=np.uint8)
        colours = task.variants.colours[chosen]
        table[FIRST_COLOUR : FIRST_COLOUR + COLOURS] = colours + FIRST_COLOUR
        recolour = table.tobytes()
        inputs = []
        outputs = []
        for pair in self._canvases[number].transformed(int(task.variants.transforms[chosen])):
            # A grid of the window's own size has its markers outside.
            free_rows = self.window - SIDE + pair.free_rows
            free_columns = self.window - SIDE + pair.free_columns
            row = int(random.integers(free_rows + 1))
            column = int(random.integers(free_columns + 1))
            inputs.append(pair.input.moved(row, column, recolour))
            outputs.append(pair.output.moved(row, column, recolour))
        tokens = self._corner(inputs)
        labels = self._corner(outputs)
        return tokens, labels, np.full(len(tokens), task.rows[chosen])

    def _corner(self, canvases: Sequence[bytes]) -> NDArray[np.int32]:
        cells = np.frombuffer(b"".join(canvases), np.uint8).reshape(len(canvases), SIDE, SIDE)
        corner = cells[:, : self.window, : self.window]
        return corner.reshape(len(canvases), -1).astype(np.int32)
