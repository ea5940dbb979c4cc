"""Measure the loop on a stream of puzzles: throughput and latency, overhead, growth of memory.

    python benchmarks/loop.py --output benchmarks/results --update docs/speed.md

The bundled Sudoku model, or the one that is named, on held-out puzzles, which are repeated for
longer streams. PyTorch runs as the published evaluation does: bfloat16, eager, every one of 16
steps, batches of the same size; pass --pytorch float32 on a CPU without bfloat16 arithmetic. Writes
loop.json and loop.md, of another model loop_MODEL.json and loop_MODEL.md.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from lib.extras import require_bench_extra
from lib.references import WIDE, checkpoint_of

require_bench_extra("torch", "onnx", "modelopt")

import click
import numpy as np
import torch
from lib.document_tables import update_tables
from lib.int8_graph import write_int8_graph
from lib.loop_tables import document_tables, page
from lib.machine_line import machine_line
from lib.timed_backend import TimedBackend
from numpy.typing import NDArray

from trm_edge.backends.base import Backend
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.cli.options import ThreadCount
from trm_edge.errors import TrmEdgeError
from trm_edge.evaluation.footprint import peak
from trm_edge.evaluation.timing import interleaved, ratio
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.export.model import RecursiveModel
from trm_edge.export.torch_backend import TorchBackend
from trm_edge.files import check_writable, write_text
from trm_edge.loop.exploration import Exploration
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.rollouts import Rollouts
from trm_edge.loop.selection import MostConfident
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle
from trm_edge.puzzle_table import PuzzleTable
from trm_edge.targets.puzzle_sources import held_out_puzzles
from trm_edge.tasks import task_for

SLOTS = 32
AUGMENTATIONS = 8
MIN_CONFIDENCE = 0.99
LATENCY_PUZZLES = 8
# A step of the published width takes about twelve times as long.
_PUZZLES = {"sudoku": 1024, WIDE: 64}
_LENGTHS = {"sudoku": (1000, 10_000, 100_000), WIDE: (128, 512)}


@dataclass(frozen=True)
class Subject:
    """The model that is measured, in INT8 and in PyTorch, with its puzzles.

    Args:
        int8: makes a backend of the INT8 graph.
        model: the model in PyTorch, in the type that it computes in.
        table: puzzle embeddings (N, E) float32, or None.
        puzzles: held-out puzzles.
        answers: their solutions (n, L).
    """

    int8: Callable[[], OnnxRuntimeBackend]
    model: RecursiveModel
    table: PuzzleTable | None
    puzzles: list[Puzzle]
    answers: NDArray[np.int32]

    @property
    def eager(self) -> str:
        """What the rows of PyTorch are called, without the halting rule."""
        dtype = str(next(self.model.parameters()).dtype).removeprefix("torch.")
        return f"PyTorch {dtype}, eager"


@click.command(help=__doc__)
@click.option("--model", type=click.Choice(list(_PUZZLES)), default="sudoku", show_default=True)
@click.option("--puzzles", type=click.IntRange(1, 2000), help="1,024, or 64 of sudoku-wide.")
@click.option(
    "--stream",
    "lengths",
    multiple=True,
    type=click.IntRange(1),
    help="Puzzles in a stream; repeatable. 1,000, 10,000 and 100,000, or fewer of sudoku-wide.",
)
@click.option("--rounds", default=3, show_default=True)
@click.option("--threads", type=ThreadCount(), default=2, show_default=True)
@click.option(
    "--pytorch",
    "dtype",
    type=click.Choice(["bfloat16", "float32"]),
    default="bfloat16",
    show_default=True,
    help="What PyTorch computes in.",
)
@click.option("--update", "document", type=click.Path(path_type=Path, exists=True))
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder.")
def main(
    model: str,
    puzzles: int | None,
    lengths: tuple[int, ...],
    rounds: int,
    threads: int,
    dtype: str,
    document: Path | None,
    output: Path,
) -> None:
    name = "loop" if model == "sudoku" else f"loop_{model}"
    results = output / f"{name}.json"
    check_writable(results)
    torch.set_num_threads(threads)
    lengths = lengths or _LENGTHS[model]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "step.onnx"
        count = puzzles or _PUZZLES[model]
        subject = _subject(checkpoint_of(model), path, count, threads, getattr(torch, dtype))
        report = {
            "machine": machine_line(threads),
            "model": model,
            "throughput": _throughput(subject, rounds),
            "latency": _latency(subject, rounds),
            "overhead": _overhead(subject),
            "growth": [_growth(subject, length) for length in lengths],
        }
    write_text(results, json.dumps(report, indent=1) + "\n")
    content = _page(report)
    write_text(output / f"{name}.md", content)
    click.echo(content)
    if document:
        update_tables(document, document_tables(report, SLOTS))


def _subject(folder: Path, path: Path, count: int, threads: int, dtype: torch.dtype) -> Subject:
    """Quantize the checkpoint of a folder into a graph at ``path``."""
    checkpoint = load_checkpoint(folder)
    held_out = held_out_puzzles(task_for(checkpoint.config), None, count)
    answers = [entry.answer for entry in held_out.entries if entry.answer is not None]
    write_int8_graph(checkpoint, held_out, path)
    return Subject(
        int8=partial(OnnxRuntimeBackend, path, checkpoint.config, threads=threads, trusted=True),
        model=load_checkpoint(folder).model.to(dtype),
        table=checkpoint.puzzle_embeddings,
        puzzles=held_out.puzzles,
        answers=np.stack(answers),
    )


def _throughput(subject: Subject, rounds: int) -> dict[str, Any]:
    """Time the same puzzles with each backend and rule, and count the exact answers."""
    config = subject.model.config
    fixed = HaltingRule.from_config(config, "fixed")
    adaptive = HaltingRule.from_config(config, "adaptive")
    threshold_4 = HaltingRule.from_config(config, threshold=4.0)
    threshold_2 = HaltingRule.from_config(config, threshold=2.0)
    rollouts = (
        f"INT8, threshold 2, up to {AUGMENTATIONS} augmentations until "
        f"{100 * MIN_CONFIDENCE:.0f} % confidence"
    )
    variants: dict[str, tuple[Backend, HaltingRule]] = {
        f"{subject.eager}, fixed": (TorchBackend(subject.model), fixed),
        f"{subject.eager}, adaptive": (TorchBackend(subject.model), adaptive),
        "INT8, fixed": (subject.int8(), fixed),
        "INT8, adaptive": (subject.int8(), adaptive),
        "INT8, threshold 4": (subject.int8(), threshold_4),
        rollouts: (subject.int8(), threshold_2),
    }
    augmentations = task_for(config).augmentations(AUGMENTATIONS)
    exact: dict[str, float] = {}

    def run(name: str) -> None:
        backend, rule = variants[name]
        with Solver(backend, subject.table, halting=rule, batch=SLOTS) as solver:
            source: Solver | Rollouts = solver
            if name == rollouts:
                exploration = Exploration(AUGMENTATIONS, augmentations)
                source = Rollouts(solver, exploration, MostConfident(MIN_CONFIDENCE))
            solutions = source.solve(subject.puzzles, ordered=True)
            answers = np.stack([solution.answer for solution in solutions])
        exact[name] = float((answers == subject.answers).all(1).mean())

    times = interleaved({name: partial(run, name) for name in variants}, rounds, 0)
    rows = {}
    for name, seconds in times.items():
        rows[name] = {
            "puzzles per second": len(subject.puzzles) / float(np.median(seconds)),
            "exact": exact[name],
            "against PyTorch, fixed": asdict(ratio(times[f"{subject.eager}, fixed"], seconds)),
        }
    return rows


def _latency(subject: Subject, rounds: int) -> dict[str, Any]:
    """Time from a puzzle to its answer, one at a time, with the engine loaded."""
    config = subject.model.config
    fixed = HaltingRule.from_config(config, "fixed")
    threshold_4 = HaltingRule.from_config(config, threshold=4.0)
    table = subject.table
    puzzles = subject.puzzles[:LATENCY_PUZZLES]
    solvers = {
        f"{subject.eager}, fixed": Solver(
            TorchBackend(subject.model), table, halting=fixed, batch=1
        ),
        "INT8, fixed": Solver(subject.int8(), table, halting=fixed, batch=1),
        "INT8, adaptive": Solver(subject.int8(), table, batch=1),
        "INT8, threshold 4": Solver(subject.int8(), table, halting=threshold_4, batch=1),
    }

    def run(solver: Solver) -> None:
        for _ in solver.solve(puzzles):
            pass

    with ExitStack() as stack:
        runs = {}
        for name, solver in solvers.items():
            runs[name] = partial(run, stack.enter_context(solver))
        times = interleaved(runs, max(rounds, 5), 0.3)
    rows = {}
    for name, seconds in times.items():
        rows[name] = {
            "ms per puzzle": 1e3 * float(np.median(seconds)) / len(puzzles),
            "against PyTorch, fixed": asdict(ratio(times[f"{subject.eager}, fixed"], seconds)),
        }
    return rows


def _overhead(subject: Subject) -> dict[str, float]:
    """Share of the loop's time that is not spent in steps."""
    backend = TimedBackend(subject.int8())
    with Solver(backend, subject.table, batch=SLOTS) as solver:
        list(solver.solve(subject.puzzles[:64]))  # warm up
        backend.reset_counts()
        start = time.perf_counter()
        list(solver.solve(subject.puzzles))
        seconds = time.perf_counter() - start
    return {
        "share of the time outside the steps": 1 - backend.seconds / seconds,
        "steps": backend.steps,
    }


def _growth(subject: Subject, length: int) -> dict[str, float]:
    """Solve a stream of ``length`` puzzles in order.

    A batch shrinks when no puzzle is left, so no slot is ever computed without one. Occupancy is
    relative to the whole batch in all steps, including those at the end.
    """
    backend = TimedBackend(subject.int8())
    stream = islice(cycle(subject.puzzles), length)
    peak_before = peak()
    start = time.perf_counter()
    with Solver(backend, subject.table, batch=SLOTS) as solver:
        count = sum(1 for _ in solver.solve(stream, ordered=True))
    seconds = time.perf_counter() - start
    if count != length:
        raise TrmEdgeError(f"{length} puzzles were passed, but {count} answers came back.")
    return {
        "puzzles": length,
        "seconds": seconds,
        "ms per puzzle": 1e3 * seconds / length,
        "occupancy": solver.slot_steps / backend.batch_slots,
        "growth of peak memory, MB": (peak() - peak_before) / 1e6,
    }


def _page(report: dict[str, Any]) -> str:
    return page(report, SLOTS)


if __name__ == "__main__":
    main()
