"""``site.json``: what the scripts of a site need besides the bundle's manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from trm_edge import __version__
from trm_edge.bundle import Bundle
from trm_edge.errors import BundleError, ConfigError
from trm_edge.manifest import CPU, FileRecord
from trm_edge.page.examples import choose_examples
from trm_edge.tasks.arc import ArcAgiTask
from trm_edge.tasks.base import Task
from trm_edge.tasks.maze import MazeTask
from trm_edge.tasks.nano_sudoku import NanoSudokuTask
from trm_edge.tasks.sudoku import SudokuTask

FORMAT = "trm-edge.page/1"
TASKS = (SudokuTask, NanoSudokuTask, MazeTask, ArcAgiTask)  # that static/tasks.js has, too
FLOAT32 = "float32"  # the graph that the other one is compared with
_PRECISIONS = {"fp32": "float32", "int8": "INT8", "fp8": "FP8"}


@dataclass(frozen=True)
class Graph:
    """A step graph of the site.

    Args:
        name: of the target, or ``float32``.
        label: its precision, for people.
        step: path in the bundle.
        path: packed, in the site.
        size: bytes of the packed file.
    """

    name: str
    label: str
    step: str
    path: str
    size: int = 0


def graphs_of(bundle: Bundle) -> tuple[Graph, ...]:
    """List the graphs of a bundle that a browser runs: that of ``cpu``, and float32 beside it.

    Args:
        bundle: the bundle.

    Raises:
        BundleError: the bundle has no target ``cpu``, or its carries are float16.
    """
    name, record = bundle.target(CPU)
    if record.carry != "float32":
        raise BundleError(
            f"the target {name} of {bundle.path} has carries of {record.carry}, but a page runs "
            "graphs with carries of float32. Export the checkpoint with --int8 or --fp32."
        )
    label = _PRECISIONS.get(record.precision, record.precision)
    graphs = [Graph(name, label, record.step, _packed(record.step))]
    float32 = bundle.manifest.float32
    if float32 is not None and float32 != record.step:
        graphs.append(Graph(FLOAT32, "float32", float32, _packed(float32)))
    return tuple(graphs)


def task_of(bundle: Bundle) -> Task:
    """Make the task of a bundle, which must be one that a page has.

    Args:
        bundle: the bundle.

    Raises:
        ConfigError: it is another one; lists those that a page has.
    """
    task = bundle.task()
    if not isinstance(task, TASKS):
        *names, last = sorted(known.name for known in TASKS)
        raise ConfigError(
            f"a page has the tasks {', '.join(names)} and {last}, but the task of {bundle.path} is "
            f"{task.name}. Watch this model on a terminal instead: trm-edge solve {bundle.path} "
            "--watch"
        )
    return task


def site_content(
    bundle: Bundle,
    graphs: tuple[Graph, ...],
    files: Mapping[str, FileRecord],
    runtime: str,
    download: int,
) -> dict[str, Any]:
    """Collect the content of ``site.json``.

    Args:
        bundle: the bundle.
        graphs: its graphs, with the sizes of their packed files.
        files: the other files that the scripts read, as they are once unpacked.
        runtime: version of ONNX Runtime Web.
        download: bytes of ONNX Runtime and the first graph as they are fetched, for the bar.

    Raises:
        BundleError: the bundle's parity vectors are damaged or missing.
        ConfigError: the bundle's task is none that a page has.
    """
    task = task_of(bundle)
    examples = []
    if not isinstance(task, ArcAgiTask):  # whose tasks are in a file of their own
        examples = [asdict(example) for example in choose_examples(bundle.parity())]
    return {
        "format": FORMAT,
        "version": __version__,
        "download": download,
        "task": {
            "name": task.name,
            "columns": task.columns,
            "boxes": task.boxes,
            "looks": task.looks(),
        },
        "graphs": [asdict(graph) for graph in graphs],
        "examples": examples,
        "runtime": runtime,
        "files": {path: asdict(record) for path, record in files.items()},
    }


def _packed(step: str) -> str:
    return f"bundle/{step}.gz"
