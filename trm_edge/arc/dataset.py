"""Builds the trainer's folder from tasks, as the published builder does.

Demonstrations of every task go to ``train``, and so do the test pairs of every subset but the test
subset's, which go to ``test``. From the same tasks, seed and count the files are the published
ones byte for byte, with one exception: where the first subset is the test subset, the published
builder's order of the splits hangs on Python's hash seed, and here ``train`` comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trm_edge.arc.augmentation import FIRST_COLOUR
from trm_edge.arc.canvases import PairCanvases
from trm_edge.arc.encoding import CELLS, VOCAB_SIZE
from trm_edge.arc.grids import COLOURS
from trm_edge.arc.sources import Subset
from trm_edge.arc.task import TEST, TRAIN, Pair
from trm_edge.arc.variants import Variants, draw_variants
from trm_edge.datasets.folder import TEST_PUZZLES_NAME, DatasetWriter, SplitLayout, SplitRows
from trm_edge.errors import ConfigError
from trm_edge.identifiers import BLANK
from trm_edge.progress import Track, silent


@dataclass(frozen=True)
class Group:
    """The variants of a task, with the pairs of them that go into one split.

    Args:
        variants: the task and its variants.
        pairs: in the order of the rows.
    """

    variants: Variants
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class BuiltDataset:
    """What was written.

    Args:
        tasks: in all subsets.
        identifiers: the blank one included.
        rows: by split.
        incomplete: tasks with fewer distinct variants than asked for.
    """

    tasks: int
    identifiers: int
    rows: dict[str, int]
    incomplete: int


@dataclass
class _Plan:
    """What will be written, before a row is encoded.

    Args:
        splits: groups by split, in the order of the rows.
        identifiers: by name.
        test_puzzles: tasks of the test subset, as the public files have them.
        incomplete: tasks with fewer variants than asked for.
    """

    splits: dict[str, list[Group]] = field(default_factory=lambda: {TRAIN: [], TEST: []})
    identifiers: dict[str, int] = field(default_factory=lambda: {BLANK: 0})
    test_puzzles: dict[str, Any] = field(default_factory=dict)
    incomplete: int = 0


def build_dataset(
    subsets: Sequence[Subset],
    test_subset: str,
    output: Path,
    *,
    augmentations: int = 1000,
    seed: int = 42,
    force: bool = False,
    track: Track = silent,
) -> BuiltDataset:
    """Write a dataset folder, whole or not at all.

    Args:
        subsets: the tasks, in the order of the published command.
        test_subset: name of the subset whose test pairs are asked, not trained.
        output: folder that will be the dataset.
        augmentations: variants of each task beside the original.
        seed: of the random numbers, 0 to 2**32 - 1.
        force: replace a dataset that is there.
        track: shows progress.

    Raises:
        ConfigError: there is no such subset.
        OutputError: the folder cannot be written.
    """
    names = [subset.name for subset in subsets]
    if test_subset not in names:
        raise ConfigError(
            f"the test set {test_subset!r} is not among the subsets. Choose from: "
            f"{', '.join(names)}."
        )
    random = np.random.RandomState(seed)
    with DatasetWriter(output, force=force) as writer:
        plan = _planned(subsets, test_subset, augmentations, random, track)
        rows = {}
        for split, groups in plan.splits.items():
            layout = _layout(groups, plan.identifiers)
            with writer.split(split, layout, np.uint8) as split_rows:
                for group in track(groups, f"encode {split}"):
                    _write_group(group, split_rows, random, is_moved=split == TRAIN)
            rows[split] = layout.rows
        writer.write_identifiers(list(plan.identifiers))
        writer.write_json(TEST_PUZZLES_NAME, plan.test_puzzles)
        writer.install()
    tasks = sum(len(subset.tasks) for subset in subsets)
    return BuiltDataset(tasks, len(plan.identifiers), rows, plan.incomplete)


def _planned(
    subsets: Sequence[Subset],
    test_subset: str,
    augmentations: int,
    random: np.random.RandomState,
    track: Track,
) -> _Plan:
    """Draw the variants of all tasks, and number them."""
    plan = _Plan()
    for subset in subsets:
        tasks = list(subset.tasks)
        # The builder shuffles a list of tuples, which takes the same random numbers.
        random.shuffle(tasks)  # type: ignore[arg-type]
        is_test = subset.name == test_subset
        for task in track(tasks, f"augment {subset.name}"):
            variants = draw_variants(task, augmentations, random)
            _add(plan, variants, augmentations, is_test=is_test)
            if is_test:
                plan.test_puzzles[task.name] = task.to_json()
    _number(plan)
    return plan


def _add(plan: _Plan, variants: Variants, wanted: int, *, is_test: bool) -> None:
    """Share a task's pairs out among the splits."""
    plan.incomplete += len(variants) < wanted + 1
    by_split: dict[str, list[Pair]] = {TRAIN: [], TEST: []}
    for part, pairs in variants.task.pairs.items():
        split = TEST if is_test and part == TEST else TRAIN
        by_split[split].extend(pairs)
    for split, split_pairs in by_split.items():
        if split_pairs:
            plan.splits[split].append(Group(variants, tuple(split_pairs)))


def _number(plan: _Plan) -> None:
    """Number the names, first come."""
    for groups in plan.splits.values():
        for group in groups:
            for name in group.variants.names():
                plan.identifiers.setdefault(name, len(plan.identifiers))


def _layout(groups: Iterable[Group], identifiers: dict[str, int]) -> SplitLayout:
    puzzle_identifiers = []
    examples = []
    group_starts = [0]
    for group in groups:
        for name in group.variants.names():
            puzzle_identifiers.append(identifiers[name])
            examples.append(len(group.pairs))
        group_starts.append(len(puzzle_identifiers))
    puzzle_starts = np.concatenate([[0], np.cumsum(examples, dtype=np.int64)])
    puzzles = len(puzzle_identifiers)
    return SplitLayout(
        vocab_size=VOCAB_SIZE,
        seq_len=CELLS,
        identifiers=len(identifiers),
        puzzle_identifiers=np.array(puzzle_identifiers, np.int32),
        puzzle_starts=puzzle_starts.astype(np.int32),
        group_starts=np.array(group_starts, np.int32),
        total_puzzles=puzzles,
        mean_puzzle_examples=int(puzzle_starts[-1]) / puzzles,
    )


def _write_group(
    group: Group, rows: SplitRows, random: np.random.RandomState, *, is_moved: bool
) -> None:
    """Encode all variants of a task; all pairs but one of each are moved in training."""
    canvases = PairCanvases(group.pairs)
    table = np.arange(256, dtype=np.uint8)
    colour_tokens = table[FIRST_COLOUR : FIRST_COLOUR + COLOURS]
    variants = group.variants
    for transform, colours in zip(variants.transforms, variants.colours, strict=True):
        colour_tokens[:] = colours + FIRST_COLOUR
        tokens = table.tobytes()
        inputs = []
        labels = []
        stays = int(random.randint(0, len(group.pairs)))  # drawn in test, too
        for number, pair in enumerate(canvases.transformed(int(transform))):
            row = 0
            column = 0
            if is_moved and number != stays:
                row = int(random.randint(0, pair.free_rows + 1))
                column = int(random.randint(0, pair.free_columns + 1))
            inputs.append(pair.input.moved(row, column, tokens))
            labels.append(pair.output.moved(row, column, tokens))
        rows.write(b"".join(inputs), b"".join(labels))
