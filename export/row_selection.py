"""Keep the puzzle-embedding rows that a set of tasks needs, and leave out the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.arc.augmentation import SEPARATOR, parse_hrm_name
from trm_edge.arc.sources import LARGEST_FILE, read_object
from trm_edge.errors import CheckpointError, PuzzleError
from trm_edge.export.checkpoint import Checkpoint
from trm_edge.files import error_reason
from trm_edge.identifiers import BLANK, IDENTIFIERS_NAME, NamesError, read_names
from trm_edge.printable import excerpt

logger = logging.getLogger(__name__)

_NAMES_SHOWN = 5
_PAIRS = frozenset(("train", "test"))  # keys of a file that holds a single task


@dataclass(frozen=True)
class Selection:
    """What rows are needed for.

    Args:
        source: the file or folder that says it, for messages.
        tasks: bare names of tasks, each with all of its augmentations; in the order of the source.
        names: names of single rows, where the source lists them; None: every augmentation.
    """

    source: Path
    tasks: tuple[str, ...]
    names: frozenset[str] | None = None


def read_selection(source: Path) -> Selection:
    """Read which tasks rows are needed for.

    Args:
        source: a JSON file with tasks by name or with a single task; a folder of files of one task;
            a dataset folder or its ``identifiers.json``, of which just those names are meant.

    Raises:
        PuzzleError: it cannot be read, or names no task.
    """
    if source.is_dir() and (source / IDENTIFIERS_NAME).is_file():
        return _from_names(source / IDENTIFIERS_NAME)
    if source.name == IDENTIFIERS_NAME:
        return _from_names(source)
    paths = [source]
    if source.is_dir():
        try:
            paths = sorted(path for path in source.iterdir() if path.suffix == ".json")
        except OSError as error:
            raise PuzzleError(f"{source} cannot be read: {error_reason(error)}.") from error
    tasks: dict[str, None] = {}
    for path in paths:
        tasks.update(dict.fromkeys(_tasks_in(path)))
    if not tasks:
        raise PuzzleError(
            f"{source} names no task. Pass a JSON file with tasks by name, a folder of task files, "
            f"or a dataset folder with its {IDENTIFIERS_NAME}."
        )
    return Selection(source, tuple(tasks))


def select_rows(checkpoint: Checkpoint, selection: Selection) -> Checkpoint:
    """Reduce a checkpoint to the rows of some tasks; row 0, which belongs to none, stays first.

    Args:
        checkpoint: with the names of its rows.
        selection: the tasks.

    Returns:
        The checkpoint with fewer rows, their names, and a configuration of that number.

    Raises:
        CheckpointError: the names of the rows are unknown, or a task has no row; names the tasks.
    """
    table = checkpoint.puzzle_embeddings
    if table is None or len(table) == 1:
        raise CheckpointError(
            f"{checkpoint.path} does not tell puzzles apart, so it has no rows to select. Leave "
            "out --identifiers."
        )
    names = checkpoint.identifiers
    if names is None:
        raise CheckpointError(
            f"the names of the {len(table)} puzzle embeddings of {checkpoint.path} are not known, "
            f"so none can be selected. Copy the {IDENTIFIERS_NAME} of the run's dataset beside the "
            "weights, or pass its folder with --dataset."
        )
    task_of = task_parser(names)
    wanted = frozenset(selection.tasks)
    rows = [0]
    present = set()
    for row, name in enumerate(names):
        task = task_of(name)
        is_wanted = task in wanted
        if is_wanted and selection.names is not None:
            is_wanted = name in selection.names
        if is_wanted:
            present.add(task)
        if is_wanted and row > 0:
            rows.append(row)
    _require_all(checkpoint, selection, present)
    if selection.names is not None:
        _warn_of_missing_names(selection.names, rows, names)
    logger.info(
        "%d of %d puzzle embeddings are those of the %d tasks in %s",
        len(rows),
        len(table),
        len(wanted),
        selection.source,
    )
    return _with_rows(checkpoint, table, names, np.array(rows, np.int64))


def with_row_count(checkpoint: Checkpoint, count: int) -> Checkpoint:
    """Return a checkpoint whose configuration has another number of identifiers.

    Args:
        checkpoint: stays as it is; the weights are shared.
        count: rows of the table that it will run with.
    """
    model = copy(checkpoint.model)
    model.config = replace(model.config, num_puzzle_identifiers=count)
    config = replace(checkpoint.config, num_puzzle_identifiers=count)
    return replace(checkpoint, config=config, model=model)


def task_parser(names: Iterable[str]) -> Callable[[str], str]:
    """Choose how the task is taken from an augmented name: the published form, or else HRM's.

    Args:
        names: of all rows.
    """
    if any(SEPARATOR in name for name in names):
        return _published_task
    return _hrm_task


def _published_task(name: str) -> str:
    return name.partition(SEPARATOR)[0]


def _hrm_task(name: str) -> str:
    try:
        return parse_hrm_name(name).task
    except ValueError:
        return name


def _from_names(path: Path) -> Selection:
    try:
        names = read_names(path)
    except NamesError as error:
        raise PuzzleError(f"{path} does not name puzzles: {error}.") from error
    task_of = task_parser(names)
    tasks = dict.fromkeys(task_of(name) for name in names if name != BLANK)
    if not tasks:
        raise PuzzleError(f"{path} names no puzzle.")
    return Selection(path, tuple(tasks), frozenset(names))


def _tasks_in(path: Path) -> Collection[str]:
    content: dict[str, Any] = read_object(path, LARGEST_FILE)
    if not _PAIRS & content.keys():
        return content.keys()
    name = content.get("name")
    if isinstance(name, str) and name:
        return [name]
    return [path.stem]


def _require_all(checkpoint: Checkpoint, selection: Selection, present: Collection[str]) -> None:
    missing = [task for task in selection.tasks if task not in present]
    if not missing:
        return
    shown = ", ".join(excerpt(task, 60) for task in missing[:_NAMES_SHOWN])
    if len(missing) > _NAMES_SHOWN:
        shown = f"{shown} and {len(missing) - _NAMES_SHOWN} more"
    raise CheckpointError(
        f"{checkpoint.path} has no puzzle embeddings for {len(missing)} of the "
        f"{len(selection.tasks)} tasks in {selection.source}: {shown}. It was not trained on them, "
        f"or its {IDENTIFIERS_NAME} is of another dataset. Take them out of the file, or export a "
        "checkpoint that was trained on them."
    )


def _warn_of_missing_names(
    wanted: Collection[str], rows: Sequence[int], names: Sequence[str]
) -> None:
    present = {names[row] for row in rows}
    missing = [name for name in wanted if name not in present and name != BLANK]
    if missing:
        logger.warning(
            "the checkpoint has no puzzle embedding for %d of %d augmented puzzles, such as %s: "
            "the dataset was augmented with another seed or number, and these puzzles cannot be "
            "solved",
            len(missing),
            len(wanted),
            excerpt(min(missing), 60),
        )


def _with_rows(
    checkpoint: Checkpoint,
    table: NDArray[np.float32],
    names: Sequence[str],
    rows: NDArray[np.int64],
) -> Checkpoint:
    return replace(
        with_row_count(checkpoint, len(rows)),
        puzzle_embeddings=np.ascontiguousarray(table[rows]),
        identifiers=[names[row] for row in rows],
        table_rows=len(table),
    )
