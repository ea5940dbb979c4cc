"""The asked tasks of a dataset folder, and what the names of its rows say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from trm_edge.arc.augmentation import SEPARATOR, AugmentedName, parse_hrm_name, parse_name
from trm_edge.arc.crop import crop
from trm_edge.arc.encoding import CELLS, VOCAB_SIZE
from trm_edge.arc.sources import LARGEST_FILE, read_object
from trm_edge.arc.task import TEST, TRAIN, ArcTask, Pair, TaskError, TaskProblem, parse_task
from trm_edge.datasets.folder import TEST_PUZZLES_NAME
from trm_edge.errors import PuzzleError
from trm_edge.identifiers import IDENTIFIERS_NAME, NamesError, read_names

_CACHED_NAMES = 4096  # rows of one puzzle mostly come together


@dataclass(frozen=True)
class TestSet:
    """What a dataset asks.

    Args:
        folder: of the dataset.
        tasks: by name, in the order of ``test_puzzles.json``.
        names: of the rows of the puzzle-embedding table.
        problems: tasks that cannot be used.
        parse: takes the name of a row apart.
    """

    __test__ = False  # not a test of pytest's

    folder: Path
    tasks: dict[str, ArcTask]
    names: Sequence[str]
    problems: tuple[TaskProblem, ...]
    parse: Callable[[str], AugmentedName]

    def name(self, identifier: int) -> AugmentedName:
        """Say what puzzle a row of the table belongs to.

        Args:
            identifier: number of the row, at least 0.

        Raises:
            PuzzleError: the dataset has fewer rows, or the name cannot be read.
        """
        if identifier >= len(self.names):
            raise PuzzleError(
                f"the predictions have the puzzle identifier {identifier}, but "
                f"{self.folder / IDENTIFIERS_NAME} has {len(self.names)} names. Pass the dataset "
                "that the predictions were made from."
            )
        try:
            return self.parse(self.names[identifier])
        except ValueError as error:
            raise PuzzleError(
                f"{self.folder / IDENTIFIERS_NAME}, identifier {identifier}: {error}."
            ) from error


def read_test_set(folder: Path) -> TestSet:
    """Read the asked tasks and the names of a dataset folder.

    A folder of HRM has no ``test_puzzles.json``; its tasks are those of the rows in ``test`` whose
    names say no augmentation.

    Args:
        folder: of the dataset.

    Raises:
        PuzzleError: a file is missing or cannot be read.
    """
    path = folder / IDENTIFIERS_NAME
    if not path.is_file():
        raise PuzzleError(f"{folder} is not a dataset folder: there is no {IDENTIFIERS_NAME}.")
    try:
        names = read_names(path)
    except NamesError as error:
        raise PuzzleError(f"{path} does not name the rows: {error}.") from error
    puzzles = folder / TEST_PUZZLES_NAME
    if puzzles.is_file():
        return _from_puzzles(folder, puzzles, names)
    joined = any(SEPARATOR in name for name in names)
    parse = parse_name if joined else parse_hrm_name
    tasks = _tasks_of_rows(folder, names, parse)
    return TestSet(folder, tasks, names, (), lru_cache(_CACHED_NAMES)(parse))


def _from_puzzles(folder: Path, path: Path, names: Sequence[str]) -> TestSet:
    tasks = {}
    problems = []
    for name, value in read_object(path, LARGEST_FILE).items():
        try:
            tasks[name] = parse_task(name, value)
        except TaskError as error:
            problems.append(TaskProblem(str(path), name, str(error)))
    if not tasks:
        raise PuzzleError(f"{path} has no task that can be used.")
    return TestSet(folder, tasks, names, tuple(problems), lru_cache(_CACHED_NAMES)(parse_name))


def _tasks_of_rows(
    folder: Path, names: Sequence[str], parse: Callable[[str], AugmentedName]
) -> dict[str, ArcTask]:
    from trm_edge.tasks.dataset import read_dataset

    pairs: dict[str, list[Pair]] = {}
    for row in read_dataset(folder / TEST, CELLS, VOCAB_SIZE):
        if not 0 < row.identifier < len(names):
            continue
        name = names[row.identifier]
        if parse(name).task == name and row.labels is not None:
            pair = Pair(crop(row.tokens), crop(row.labels))
            pairs.setdefault(name, []).append(pair)
    tasks = {}
    for name, tests in pairs.items():
        tasks[name] = ArcTask(name, {TRAIN: (), TEST: tuple(tests)})
    if not tasks:
        raise PuzzleError(f"{folder / TEST} has no row of an unaugmented task with labels.")
    return tasks
