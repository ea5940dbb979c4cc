"""ARC tasks that a visitor can try: their grids, and the rows of the model's table for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.arc.asked_tasks import AskedTasks, read_asked_tasks
from trm_edge.arc.augmentation import SEPARATOR, parse_hrm_name, parse_name
from trm_edge.arc.crop import crop
from trm_edge.arc.encoding import encode
from trm_edge.arc.grids import Grid
from trm_edge.arc.rows import TaskRows, missing_rows_sentence
from trm_edge.arc.task import TEST, TRAIN, ArcTask, Pair
from trm_edge.arc.votes import grid_key
from trm_edge.bundle import Bundle
from trm_edge.errors import ConfigError, PuzzleError
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.tasks.arc import ArcAgiTask

AUGMENTATIONS = 6  # of a task, whose rows a site has beside the task's own
MOST_TASKS = 400  # as many as a public subset has
_SHOWN_PROBLEMS = 3


@dataclass(frozen=True)
class ArcExamples:
    """The tasks of a site.

    Args:
        tasks: as the scripts read them: names, grids, and variants with their rows.
        rows: (n, E) float32 rows of the table; None where the model has none.
    """

    tasks: list[dict[str, Any]]
    rows: NDArray[np.float32] | None


def arc_examples(
    bundle: Bundle, source: Path | None = None, augmentations: int = AUGMENTATIONS
) -> ArcExamples:
    """Collect the tasks of a site and the rows that the model answers them by.

    Args:
        bundle: of a model of ARC tasks.
        source: a task file, a folder of them or a dataset folder; None: the bundled tasks, where
            the model is the bundled one, and else the bundle's held-out puzzles, which have no
            demonstrations.
        augmentations: variants of each task beside the original, whose answers can vote.

    Raises:
        PuzzleError: there are no tasks, some cannot be used, or some have no row; names them.
        ConfigError: there are more tasks than a page shows, or the bundle's task is another.
        BundleError: the bundle's parity vectors or puzzle embeddings are damaged or missing.
    """
    task = bundle.task()
    if not isinstance(task, ArcAgiTask):
        raise ConfigError(
            f"tasks are for a page of ARC grids, but the task of {bundle.path} is {task.name}. "
            "Leave --tasks out."
        )
    asked = _default_tasks(bundle, task) if source is None else _read(source)
    if len(asked.tasks) > MOST_TASKS:
        raise ConfigError(
            f"a page shows at most {MOST_TASKS} ARC tasks, but {source or 'the bundle'} has "
            f"{len(asked.tasks)}. Pass a file of those that it should show with --tasks."
        )
    rows = task.rows([each.name for each in asked.tasks], asked.names)
    missing = rows.missing()
    if missing:
        raise PuzzleError(f"{missing_rows_sentence(missing, len(asked.tasks))}.")
    return _collected(bundle, asked.tasks, rows, augmentations)


def _read(source: Path) -> AskedTasks:
    """The tasks of a file or folder, all of which can be used.

    Raises:
        PuzzleError: one cannot.
    """
    asked = read_asked_tasks(source)
    if asked.problems:
        shown = " ".join(str(problem) for problem in asked.problems[:_SHOWN_PROBLEMS])
        count = len(asked.problems)
        noun = "task" if count == 1 else "tasks"
        raise PuzzleError(f"{count} {noun} cannot be used. {shown}")
    return asked


def _default_tasks(bundle: Bundle, task: ArcAgiTask) -> AskedTasks:
    """The tasks that come with trm-edge, if the bundle has their rows; or its held-out puzzles."""
    questions = task.bundled_puzzles("held_out")
    if questions is None:
        return _held_out(bundle)
    bundled = read_asked_tasks(questions.parent)  # the dataset folder, with demonstrations
    missing = task.rows([each.name for each in bundled.tasks]).missing()
    known = tuple(each for each in bundled.tasks if each.name not in missing)
    return AskedTasks(known, ()) if known else _held_out(bundle)


def _held_out(bundle: Bundle) -> AskedTasks:
    """The held-out puzzles of a bundle, by task, turned back where they are of a variant."""
    vectors = bundle.parity()
    names = bundle.identifiers()
    pairs: dict[str, dict[bytes, Pair]] = {}
    for number, identifier in enumerate(vectors.identifiers.tolist()):
        pair = Pair(crop(vectors.tokens[number]), _known(vectors.labels[number]))
        name = f"puzzle {number + 1}"
        if names is not None and bundle.config.num_puzzle_identifiers > 1:
            name, pair = _original(names, identifier, pair)
        pairs.setdefault(name, {}).setdefault(grid_key(pair.input), pair)
    tasks = []
    for name, tests in pairs.items():
        tasks.append(ArcTask(name, {TRAIN: (), TEST: tuple(tests.values())}))
    return AskedTasks(tuple(tasks), ())


def _original(names: Sequence[str], identifier: int, pair: Pair) -> tuple[str, Pair]:
    """The task that a row belongs to, and a pair of its variant turned back."""
    is_published = any(SEPARATOR in name for name in names)
    parse = parse_name if is_published else parse_hrm_name
    try:
        task, augmentation = parse(names[identifier])
    except ValueError as error:
        raise PuzzleError(
            f"row {identifier} of the bundle has the name {names[identifier]!r}, which cannot be "
            f"read: {error}. Pass the tasks of the page with --tasks."
        ) from error
    output = None if pair.output is None else augmentation.invert(pair.output)
    return task, Pair(augmentation.invert(pair.input), output)


def _collected(
    bundle: Bundle, tasks: Iterable[ArcTask], rows: TaskRows, augmentations: int
) -> ArcExamples:
    """The tasks as the scripts read them, and the rows in the order in which they are used."""
    outcomes = _outcomes(bundle.parity())
    used: dict[int, int] = {}  # row of the table -> row of the site
    contents = []
    for task in tasks:
        variants = []
        for name, row in rows.variants(task, augmentations):
            augmentation = parse_name(name).augmentation
            place = used.setdefault(row, len(used))
            variants.append([augmentation.transform, augmentation.permutation, place])
        row = rows.row(task.name) or 0
        tests = []
        for pair in task.tests:
            key = (row, encode(pair.input).tobytes())
            tests.append({**_pair(pair), "outcome": outcomes.get(key)})
        demonstrations = [_pair(pair) for pair in task.demonstrations]
        contents.append(
            {
                "name": task.name,
                "demonstrations": demonstrations,
                "tests": tests,
                "variants": variants,
            }
        )
    table = bundle.puzzle_embeddings()
    if table is None:
        return ArcExamples(contents, None)
    return ArcExamples(contents, np.array(table[list(used)], np.float32))


def _outcomes(vectors: ParityVectors) -> Mapping[tuple[int, bytes], list[Any]]:
    """Whether float32 solves each held-out puzzle whose answer is known, and in how many steps."""
    answers = vectors.answers(adaptive=True)
    outcomes = {}
    for number, label in enumerate(vectors.labels):
        output = _known(label)
        if output is None:
            continue
        is_right = np.array_equal(crop(answers[number]), output)
        key = (int(vectors.identifiers[number]), vectors.tokens[number].astype(np.uint8).tobytes())
        outcomes[key] = [is_right, int(vectors.halting_steps[number])]
    return outcomes


def _known(label: NDArray[Any]) -> Grid | None:
    """The answer; None where it is not known. No answer is without cells."""
    grid = crop(label)
    return grid if grid.size else None


def _pair(pair: Pair) -> dict[str, Any]:
    return {"input": _grid(pair.input), "output": _grid(pair.output)}


def _grid(grid: Grid | None) -> list[list[int]] | None:
    if grid is None:
        return None
    rows: list[list[int]] = grid.tolist()
    return rows
