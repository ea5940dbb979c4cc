"""The loop on a stream of real puzzles: occupancy, throughput against PyTorch, overhead, growth.

    python benchmarks/loop.py --output benchmarks/results

The bundled Sudoku model on its held-out puzzles, repeated where more are asked for. PyTorch runs as
the published evaluation does: bfloat16, eager, every one of 16 steps, batches of the same size.
Writes loop.json and loop.md.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from lib.machine_line import machine_line
from numpy.typing import NDArray

from trm_edge.backends.base import Backend, HaltingLogits
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.bundle import Bundle
from trm_edge.errors import TrmEdgeError
from trm_edge.evaluation.footprint import peak
from trm_edge.evaluation.timing import interleaved, ratio
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.export.torch_backend import TorchBackend
from trm_edge.files import write_text
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.rollouts import Rollouts
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle
from trm_edge.reference import reference_checkpoint
from trm_edge.targets.export_bundle import export_bundle
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.puzzle_sources import held_out_puzzles
from trm_edge.targets.request import ExportRequest
from trm_edge.tasks import task_for

SLOTS = 32
EAGER = "PyTorch bfloat16, eager, fixed"


class Timed(Backend):
    """Another backend, with the time that its steps take and the slots that they held."""

    def __init__(self, inner: OnnxRuntimeBackend) -> None:
        self.inner, self.config, self.name = inner, inner.config, inner.name
        self.seconds, self.steps, self.places, self.most = 0.0, 0, 0, 0

    def activate(self) -> None:
        self.inner.activate()

    def deactivate(self) -> None:
        self.inner.deactivate()

    def start(self, slots: int) -> None:
        self.most = slots
        self.inner.start(slots)

    def step(self, tokens: Any, puzzle_embedding: Any, reset: Any) -> HaltingLogits:
        began = time.perf_counter()
        wait_step = self.inner.step(tokens, puzzle_embedding, reset)
        self.seconds += time.perf_counter() - began
        self.steps += 1
        self.places += self.most
        return wait_step

    def logits(self, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.inner.logits(slots)

    def carry(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self.inner.carry()

    def compact(self, slots: NDArray[np.int64]) -> None:
        self.inner.compact(slots)


@click.command(help=__doc__)
@click.option("--puzzles", default=1024, show_default=True, help="Of the throughput.")
@click.option("--stream", "lengths", multiple=True, type=int, default=(1000, 10_000, 100_000))
@click.option("--rounds", default=3, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(puzzles: int, lengths: tuple[int, ...], rounds: int, threads: int, output: Path) -> None:
    torch.set_num_threads(threads)
    checkpoint = load_checkpoint(reference_checkpoint("sudoku"))
    task = task_for(checkpoint.config)
    entries = held_out_puzzles(task, None, puzzles).entries
    given = [entry.puzzle for entry in entries]
    answers = np.stack([entry.answer for entry in entries if entry.answer is not None])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle"
        request = ExportRequest(checkpoint, task, "int8", (load_profile("cpu"),))
        export_bundle(request, path)
        bundle = Bundle.open(path)

        def ours() -> OnnxRuntimeBackend:
            return OnnxRuntimeBackend(path / "cpu/step.onnx", bundle.config, threads=threads)

        cast = load_checkpoint(reference_checkpoint("sudoku")).model.to(torch.bfloat16)
        table = bundle.puzzle_embeddings()
        report = {
            "machine": machine_line(threads),
            "throughput": _throughput(ours, cast, table, given, answers, rounds),
            "latency": _latency(ours, cast, table, given, rounds),
            "overhead": _overhead(ours(), table, given),
            "growth": [_growth(Timed(ours()), table, given, length) for length in lengths],
        }
    output.mkdir(parents=True, exist_ok=True)
    write_text(output / "loop.json", json.dumps(report, indent=1) + "\n")
    write_text(output / "loop.md", _page(report))
    click.echo(_page(report))


def _throughput(
    ours: Callable[[], Backend],
    cast: Any,
    table: Any,
    given: list[Puzzle],
    answers: NDArray[np.uint8],
    rounds: int,
) -> dict[str, Any]:
    """Seconds for the same puzzles, and what share of them is right."""
    fixed, adaptive = (HaltingRule.from_config(cast.config, mode) for mode in ("fixed", "adaptive"))
    surer, tries = (HaltingRule.from_config(cast.config, threshold=by) for by in (4.0, 2.0))
    forms = task_for(cast.config).augmentations(8)
    solvers = {
        EAGER: (TorchBackend(cast), fixed, 1),
        "PyTorch bfloat16, eager, adaptive": (TorchBackend(cast), adaptive, 1),
        "INT8, fixed": (ours(), fixed, 1),
        "INT8, adaptive": (ours(), adaptive, 1),
        "INT8, threshold 4": (ours(), surer, 1),
        "INT8, threshold 2, up to 8 forms until 99 % sure": (ours(), tries, 8),
    }
    exact: dict[str, float] = {}

    def run(name: str) -> None:
        backend, rule, most = solvers[name]
        with Solver(backend, table, halting=rule, batch=SLOTS) as solver:
            what = Rollouts(solver, forms, min_confidence=0.99) if most > 1 else solver
            found = np.stack([one.answer for one in what.solve(given, ordered=True)])
        exact[name] = float((found == answers).all(1).mean())

    times = interleaved({name: lambda name=name: run(name) for name in solvers}, rounds, 0)  # type: ignore[misc]
    first = times[EAGER]
    return {
        name: {
            "puzzles a second": len(given) / float(np.median(found)),
            "exact": exact[name],
            "against PyTorch, fixed": vars(ratio(first, found)),
        }
        for name, found in times.items()
    }


def _latency(
    ours: Callable[[], Backend], cast: Any, table: Any, given: list[Puzzle], rounds: int
) -> dict[str, Any]:
    """Milliseconds from a puzzle to its answer, one at a time, the engine loaded."""
    fixed, surer = (
        HaltingRule.from_config(cast.config, "fixed"),
        HaltingRule.from_config(cast.config, threshold=4.0),
    )
    few = given[:8]
    runs = {}
    solvers = {
        EAGER: Solver(TorchBackend(cast), table, halting=fixed, batch=1),
        "INT8, fixed": Solver(ours(), table, halting=fixed, batch=1),
        "INT8, adaptive": Solver(ours(), table, batch=1),
        "INT8, threshold 4": Solver(ours(), table, halting=surer, batch=1),
    }
    for name, solver in solvers.items():
        solver.__enter__()
        runs[name] = lambda solver=solver: list(solver.solve(few))
    times = interleaved(runs, max(rounds, 5), 0.3)
    for solver in solvers.values():
        solver.__exit__(None, None, None)
    first = times[EAGER]
    return {
        name: {
            "ms a puzzle": 1e3 * float(np.median(found)) / len(few),
            "against PyTorch, fixed": vars(ratio(first, found)),
        }
        for name, found in times.items()
    }


def _overhead(backend: OnnxRuntimeBackend, table: Any, given: list[Puzzle]) -> dict[str, float]:
    """What the loop takes besides the steps."""
    timed = Timed(backend)
    with Solver(timed, table, batch=SLOTS) as solver:
        list(solver.solve(given[:64]))  # warm
        timed.seconds, timed.steps = 0.0, 0
        began = time.perf_counter()
        list(solver.solve(given))
        spent = time.perf_counter() - began
    return {
        "share of the time outside the steps": 1 - timed.seconds / spent,
        "steps": timed.steps,
    }


def _growth(backend: Timed, table: Any, given: list[Puzzle], length: int) -> dict[str, float]:
    """A stream of that many puzzles, its answers in order.

    A batch shrinks when no puzzle is left, so no place is ever computed without one; occupancy
    counts the places of the whole batch in all steps, those of the end included.
    """

    def stream() -> Iterator[Puzzle]:
        return islice(cycle(given), length)

    before = peak()
    began = time.perf_counter()
    with Solver(backend, table, batch=SLOTS) as solver:
        count = sum(1 for _ in solver.solve(stream(), ordered=True))
    spent = time.perf_counter() - began
    if count != length:
        raise TrmEdgeError(f"{length} puzzles went in and {count} answers came out.")
    after = peak()
    return {
        "puzzles": length,
        "seconds": spent,
        "ms a puzzle": 1e3 * spent / length,
        "occupancy": solver.slot_steps / backend.places,
        "MB that peak memory grew by": (after - before) / 1e6,
    }


def _page(report: dict[str, Any]) -> str:
    lines = [
        f"# The loop\n\n`python benchmarks/loop.py`. Machine: {report['machine']}.\n",
        "| 32 slots | exact, % | puzzles a second | times PyTorch, fixed |\n|---|---|---|---|",
    ]

    def times(found: dict[str, Any]) -> str:
        by = found["against PyTorch, fixed"]
        return f"{by['median']:.1f} ({by['low']:.1f} - {by['high']:.1f})"

    for name, found in report["throughput"].items():
        lines.append(
            f"| {name} | {100 * found['exact']:.1f} | {found['puzzles a second']:.1f} "
            f"| {times(found)} |"
        )
    lines.append("\n| one puzzle at a time | ms | times PyTorch, fixed |\n|---|---|---|")
    for name, found in report["latency"].items():
        lines.append(f"| {name} | {found['ms a puzzle']:.1f} | {times(found)} |")
    over = report["overhead"]
    lines.append(
        f"\nAt {SLOTS} slots, outside the steps: "
        f"{100 * over['share of the time outside the steps']:.2f} % of the time.\n"
    )
    lines.append(
        "| puzzles | seconds | ms a puzzle | occupancy, % | MB that peak memory grew by |\n"
        "|---|---|---|---|---|"
    )
    for row in report["growth"]:
        lines.append(
            f"| {row['puzzles']} | {row['seconds']:.1f} | {row['ms a puzzle']:.2f} "
            f"| {100 * row['occupancy']:.1f} "
            f"| {row['MB that peak memory grew by']:.1f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
