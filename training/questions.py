"""Questions of the tasks that a model is trained on, as the splits of a dataset folder.

``trm-edge export`` calibrates on the demonstrations in ``train/``, and measures on the test inputs
in ``test/``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trm_edge.arc.encoding import CELLS, VOCAB_SIZE, encode
from trm_edge.arc.grids import SIDE, Grid
from trm_edge.datasets.folder import SplitLayout, write_layout
from trm_edge.dihedral import dihedral
from trm_edge.folder_writer import FolderWriter
from trm_edge.training.demonstrations import Demonstrations
from trm_edge.training.numbered_variants import NumberedVariants


class Questions(NamedTuple):
    """Questions to a model.

    Args:
        tokens: (n, L) uint8 token ids.
        labels: (n, L) uint8 token ids of the answers; None where they are unknown.
        rows: (n,) int32 rows of the puzzle-embedding table.
    """

    tokens: NDArray[np.uint8]
    labels: NDArray[np.uint8] | None
    rows: NDArray[np.int32]


def demonstration_questions(tasks: Sequence[NumberedVariants], count: int, seed: int) -> Questions:
    """Draw demonstrations under random variants, at random places of the canvas.

    Args:
        tasks: with their variants.
        count: number of questions.
        seed: of the random numbers.
    """
    tokens = []
    labels = []
    rows: list[int] = []
    for batch in Demonstrations(tasks)(np.random.default_rng(seed)):
        tokens.append(batch[0])
        labels.append(batch[1])
        rows.extend(batch[2])
        if len(rows) >= count:
            break
    return Questions(
        np.concatenate(tokens)[:count].astype(np.uint8),
        np.concatenate(labels)[:count].astype(np.uint8),
        np.array(rows[:count], np.int32),
    )


def asked_questions(
    tasks: Sequence[NumberedVariants], count: int, variants: int | None = None, side: int = SIDE
) -> Questions:
    """Make the test inputs of tasks: all originals, then all under a first variant, and so on.

    Args:
        tasks: with their variants.
        count: the largest number of questions.
        variants: of each task, the original included; None: all.
        side: of the corner of the canvas that is returned, in cells; no grid is larger.

    Returns:
        The questions, with answers where the outputs of all test inputs are known.
    """
    tokens: list[NDArray[np.uint8]] = []
    labels: list[NDArray[np.uint8]] = []
    rows: list[int] = []
    for task, place in _rounds(tasks, variants):
        transform = int(task.variants.transforms[place])
        colours = task.variants.colours[place]
        for pair in task.variants.task.tests:
            if len(rows) == count:
                break
            tokens.append(_corner(dihedral(colours[pair.input], transform), side))
            if pair.output is not None:
                labels.append(_corner(dihedral(colours[pair.output], transform), side))
            rows.append(int(task.rows[place]))
    answers = np.stack(labels) if len(labels) == len(rows) else None
    return Questions(np.stack(tokens), answers, np.array(rows, np.int32))


def _rounds(
    tasks: Sequence[NumberedVariants], variants: int | None
) -> Iterator[tuple[NumberedVariants, int]]:
    most = max(len(task.variants) for task in tasks)
    for place in range(most if variants is None else min(variants, most)):
        for task in tasks:
            if place < len(task.variants):
                yield task, place


def write_split(writer: FolderWriter, name: str, questions: Questions, identifiers: int) -> None:
    """Write questions as a split of a dataset folder, in their order.

    Args:
        writer: of the folder.
        name: ``train`` or ``test``.
        questions: at least one.
        identifiers: rows of the table.
    """
    starts = np.arange(len(questions.rows) + 1, dtype=np.int32)
    layout = SplitLayout(
        vocab_size=VOCAB_SIZE,
        seq_len=CELLS,
        identifiers=identifiers,
        puzzle_identifiers=questions.rows,
        puzzle_starts=starts,
        group_starts=starts,
        total_puzzles=len(questions.rows),
        mean_puzzle_examples=1.0,
    )
    write_layout(writer, name, layout)
    np.save(writer.path(f"{name}/all__inputs.npy"), questions.tokens)
    if questions.labels is not None:
        np.save(writer.path(f"{name}/all__labels.npy"), questions.labels)


def _corner(grid: Grid, side: int) -> NDArray[np.uint8]:
    canvas = encode(grid).reshape(SIDE, SIDE)
    return np.ascontiguousarray(canvas[:side, :side], np.uint8).reshape(-1)
