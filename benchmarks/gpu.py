"""Engines on a real GPU against PyTorch and ONNX Runtime: right, and how fast.

    python benchmarks/gpu.py prepare build/gpu          # anywhere: graphs, some MB
    python benchmarks/gpu.py run build/gpu --json benchmarks/results/gpu.json   # on the GPU

Subjects are the bundled models, which also solve their held-out puzzles, and the published sizes
with random weights, for latency alone. What this machine cannot run is listed with the reason.
Every runner takes turns in every round; a figure is the median over rounds.
"""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
import torch
from lib.gpu_runners import Runner, runners
from lib.published_sizes import SIZES, random_model

from trm_edge.backends.base import Backend
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.calibration.calibrate import calibrate
from trm_edge.calibration.recipe import CalibrationRecipe
from trm_edge.config import ModelConfig
from trm_edge.engines.driver import probe
from trm_edge.errors import TrmEdgeError
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.export.model import TinyRecursiveModel
from trm_edge.files import write_text
from trm_edge.loop.solver import Solver
from trm_edge.profile import Precision
from trm_edge.puzzle import Puzzle
from trm_edge.reference import REFERENCES, reference_checkpoint
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.puzzle_sources import calibration_puzzles, held_out_puzzles
from trm_edge.targets.target_graphs import GraphInputs, target_graph
from trm_edge.tasks import task_for

TARGET = "h100"
PRECISIONS: dict[Precision, Any] = {"fp32": None, "fp16": None, "int8": "int8", "fp8": "fp8"}
CHECKED = 8  # puzzles whose every step is compared


@dataclass(frozen=True)
class Subject:
    """A model, and puzzles for it."""

    name: str
    model: TinyRecursiveModel
    table: Any  # (N, E) float32 or None
    puzzles: list[Puzzle]
    answers: Any  # (n, L), or None where the weights are random

    @property
    def config(self) -> ModelConfig:
        return self.model.config


def subjects(names: tuple[str, ...], puzzles: int) -> Iterator[Subject]:
    """Those that are named; all of them without a name."""
    for name in REFERENCES:
        if name in names or not names:
            checkpoint = load_checkpoint(reference_checkpoint(name))
            entries = held_out_puzzles(task_for(checkpoint.config), None, puzzles).entries
            answers = np.stack([entry.answer for entry in entries if entry.answer is not None])
            given = [entry.puzzle for entry in entries]
            yield Subject(name, checkpoint.model, checkpoint.puzzle_embeddings, given, answers)
    for name, config in SIZES.items():
        if name in names or not names:
            yield _random(name, config)


def _random(name: str, config: ModelConfig) -> Subject:
    model = random_model(name)
    table = np.zeros((config.num_puzzle_identifiers, config.puzzle_emb_ndim), np.float32)
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, config.vocab_size, (CHECKED, config.seq_len), dtype=np.int32)
    return Subject(name, model, table, [Puzzle(row) for row in tokens], None)


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--only", multiple=True, help="Subjects.")
def prepare(folder: Path, only: tuple[str, ...]) -> None:
    """Write every subject's graph in every precision."""
    profile = load_profile(TARGET)
    for subject in subjects(only, CHECKED):
        seen = subject.puzzles
        if subject.answers is not None:
            task = task_for(subject.config)
            held_out = held_out_puzzles(task, None, CHECKED)
            seen = calibration_puzzles(task, None, None, held_out, 64).puzzles
        for precision, qtype in PRECISIONS.items():
            made = GraphInputs(subject.model, precision, None, {})
            if qtype:
                steps = (1, 2) if subject.answers is None else None
                recipe = replace(CalibrationRecipe.static(qtype), puzzles=len(seen))
                recipe = replace(recipe, steps=steps) if steps else recipe
                ready = calibrate(subject.model, subject.table, seen, qtype, recipe)
                made = GraphInputs(ready.model, precision, qtype, ready.layers)
            path = graph_path(folder, subject.name, precision)
            path.parent.mkdir(parents=True, exist_ok=True)
            onnx.save(target_graph(made, profile), path)
            click.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def graph_path(folder: Path, subject: str, precision: str) -> Path:
    return folder / subject.replace(" ", "-").lower() / f"{precision}.onnx"


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.option("--only", multiple=True, help="Subjects.")
@click.option("--batch", "batches", multiple=True, type=int, default=(1, 8, 64, 256, 1024))
@click.option("--puzzles", default=512, show_default=True, help="Held-out puzzles to solve.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--seconds", default=0.2, show_default=True, help="Of one measurement.")
@click.option("--budget", default=540.0, show_default=True, help="Seconds; the rest is left out.")
@click.option("--device", type=click.Choice(["cuda", "cpu"]), default="cuda")
@click.option("--json", "output", type=click.Path(path_type=Path), required=True)
def run(
    folder: Path,
    only: tuple[str, ...],
    batches: tuple[int, ...],
    puzzles: int,
    rounds: int,
    seconds: float,
    budget: float,
    device: str,
    output: Path,
) -> None:
    """Build, check, solve and measure; results are written after every subject."""
    deadline = time.monotonic() + budget
    state = probe()
    report: dict[str, Any] = {"machine": _machine(str(state)), "subjects": {}}
    for subject in subjects(only, puzzles):
        if time.monotonic() > deadline:
            report["subjects"][subject.name] = "left out: the time was up"
            continue
        graphs = {name: graph_path(folder, subject.name, name) for name in PRECISIONS}
        able, unable = runners(subject.model, graphs, max(batches), device, state)
        result: dict[str, Any] = {"not run": unable, "runners": {}}
        report["subjects"][subject.name] = result
        for runner in able:
            with _reported(result["not run"], runner.name):
                result["runners"][runner.name] = _checked(runner, subject)
        good = [runner for runner in able if runner.name in result["runners"]]
        for batch in batches:
            if time.monotonic() < deadline:
                times = _interleaved(good, subject, batch, rounds, seconds, result["not run"])
                for name, found in times.items():
                    result["runners"][name][f"ms at {batch}"] = found
        write_text(output, json.dumps(report, indent=1) + "\n")
        click.echo(_table(subject.name, result, batches))
        for runner in able:
            runner.close()


def _checked(runner: Runner, subject: Subject) -> dict[str, Any]:
    """Every step against ONNX Runtime on the CPU, then the held-out puzzles."""
    few = subject.puzzles[:CHECKED]
    tokens = np.stack([puzzle.tokens for puzzle in few]).astype(np.int32)
    rows = None
    if subject.config.puzzle_emb_ndim:
        rows = subject.table[[puzzle.identifier for puzzle in few]]
    found = []
    reference = OnnxRuntimeBackend(runner.graph, subject.config, carry=runner.carry)
    for backend in (reference, runner.backend()):
        with backend:
            found.append(list(_trajectory(backend, tokens, rows)))
    first = float(np.abs(found[0][0][0] - found[1][0][0]).max())
    alike = [float((one[1] == other[1]).mean()) for one, other in zip(*found, strict=True)]
    checked = {
        "largest q difference at step 1": first,
        "same cells, first step": alike[0],
        "same cells, last step": alike[-1],
    }
    if subject.answers is not None:
        with Solver(runner.backend(), subject.table, batch=64) as solver:
            began = time.perf_counter()
            solved = list(solver.solve(subject.puzzles, ordered=True))
            spent = time.perf_counter() - began
        answers = np.stack([solution.answer for solution in solved])
        checked["exact, adaptive"] = float((answers == subject.answers).all(1).mean())
        checked["mean steps"] = float(np.mean([solution.steps for solution in solved]))
        checked["puzzles a second, first run"] = len(solved) / spent
    return checked


def _trajectory(backend: Backend, tokens: Any, rows: Any) -> Iterator[tuple[Any, Any]]:
    backend.start(len(tokens))
    slots = np.arange(len(tokens))
    for step in range(backend.config.halt_max_steps):
        wait_step = backend.step(tokens, rows, np.full(len(tokens), step == 0))
        yield wait_step.q_halt, backend.predictions(slots)


def _interleaved(
    able: list[Runner],
    subject: Subject,
    batch: int,
    rounds: int,
    seconds: float,
    unable: dict[str, str],
) -> dict[str, dict[str, float]]:
    """Milliseconds of a step at a number of slots, by runner."""
    pick = np.arange(batch) % len(subject.puzzles)
    tokens = np.stack([subject.puzzles[k].tokens for k in pick]).astype(np.int32)
    rows = None
    if subject.config.puzzle_emb_ndim:
        rows = subject.table[[subject.puzzles[k].identifier for k in pick]]
    again = np.zeros(batch, np.bool_)
    times: dict[str, list[float]] = {}
    for _ in range(rounds):
        for runner in able:
            if f"{runner.name} at {batch}" in unable:
                continue
            with _reported(unable, f"{runner.name} at {batch}"), runner.backend() as backend:
                backend.start(batch)
                for step in range(6):  # captures, compiles, warms up
                    backend.step(tokens, rows, np.full(batch, step == 0))
                began, count = time.perf_counter(), 0
                while time.perf_counter() - began < seconds:
                    backend.step(tokens, rows, again)
                    count += 1
                spent = time.perf_counter() - began
                times.setdefault(runner.name, []).append(1e3 * spent / count)
    return {
        name: {"median": statistics.median(found), "least": min(found), "most": max(found)}
        for name, found in times.items()
    }


@contextmanager
def _reported(unable: dict[str, str], what: str) -> Iterator[None]:
    """A runner that fails is a result, too."""
    try:
        yield
    except (TrmEdgeError, RuntimeError, AssertionError) as error:
        unable[what] = f"{type(error).__name__}: {error}"


def _table(name: str, result: dict[str, Any], batches: tuple[int, ...]) -> str:
    lines = [
        f"\n{name}\n",
        "| runner | exact | " + " | ".join(f"ms at {batch}" for batch in batches) + " |",
        "|---" * (len(batches) + 2) + "|",
    ]
    for runner, found in result["runners"].items():
        exact = found.get("exact, adaptive")
        cells = [
            f"{found[f'ms at {batch}']['median']:.2f}" if f"ms at {batch}" in found else "-"
            for batch in batches
        ]
        share = "-" if exact is None else f"{100 * exact:.1f} %"
        lines.append(f"| {runner} | {share} | {' | '.join(cells)} |")
    lines += [f"not run: {what}: {why[:160]}" for what, why in result["not run"].items()]
    return "\n".join(lines)


def _machine(gpu: str) -> dict[str, Any]:
    versions: dict[str, Callable[[], str]] = {
        "torch": lambda: torch.__version__,
        "cuda of torch": lambda: str(torch.version.cuda),
        "onnxruntime": lambda: __import__("onnxruntime").__version__,
        "tensorrt": lambda: __import__("tensorrt").__version__,
        "tensorrt_rtx": lambda: __import__("tensorrt_rtx").__version__,
    }
    found = {"gpu": gpu, "driver": asdict(probe())["version"], "python": platform.python_version()}
    for name, ask in versions.items():
        try:
            found[name] = ask()
        except ImportError:
            found[name] = "not installed"
    return found


if __name__ == "__main__":
    main()
