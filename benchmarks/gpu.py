"""Check and time engines on a GPU against PyTorch and ONNX Runtime.

    python benchmarks/gpu.py prepare build/gpu          # anywhere: graphs, some MB
    python benchmarks/gpu.py run build/gpu --json benchmarks/results/gpu.json   # on the GPU

Subjects are the bundled models, which also solve their held-out puzzles, and the published sizes
with random weights, which are timed only. What this machine cannot run is listed with the reason.
Runners take turns in every round; a figure is the median over rounds.
"""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from lib.extras import require_bench_extra
from lib.references import GRID_MODELS

require_bench_extra("torch", "onnx", "modelopt")

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
from trm_edge.export.model import RecursiveModel
from trm_edge.files import write_text
from trm_edge.loop.solver import Solver
from trm_edge.profile import Precision
from trm_edge.puzzle import Puzzle
from trm_edge.reference import reference_checkpoint
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.puzzle_sources import calibration_puzzles, held_out_puzzles
from trm_edge.targets.target_graphs import GraphInputs, target_graph
from trm_edge.tasks import task_for

TARGET = "h100"
PRECISIONS: dict[Precision, Any] = {"fp32": None, "fp16": None, "int8": "int8", "fp8": "fp8"}
CHECKED = 8  # puzzles whose steps are all compared


@dataclass(frozen=True)
class Subject:
    """A model with puzzles.

    Args:
        name: name of the subject.
        model: the float32 model.
        table: puzzle embeddings (N, E) float32, or None.
        puzzles: n puzzles.
        answers: their solutions (n, L), or None if the weights are random.
    """

    name: str
    model: RecursiveModel
    table: Any
    puzzles: list[Puzzle]
    answers: Any

    @property
    def config(self) -> ModelConfig:
        """Configuration of the model."""
        return self.model.config


def subjects(names: tuple[str, ...], puzzles: int) -> Iterator[Subject]:
    """Load the subjects.

    Args:
        names: their names; all by default.
        puzzles: number of held-out puzzles of a bundled model.
    """
    for name in GRID_MODELS:
        if name in names or not names:
            checkpoint = load_checkpoint(reference_checkpoint(name))
            entries = held_out_puzzles(task_for(checkpoint.config), None, puzzles).entries
            answers = np.stack([entry.answer for entry in entries if entry.answer is not None])
            yield Subject(
                name=name,
                model=checkpoint.model,
                table=checkpoint.puzzle_embeddings,
                puzzles=[entry.puzzle for entry in entries],
                answers=answers,
            )
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
        puzzles = subject.puzzles
        if subject.answers is not None:
            task = task_for(subject.config)
            held_out = held_out_puzzles(task, None, CHECKED)
            puzzles = calibration_puzzles(task, None, None, held_out, 64).puzzles
        for precision, qtype in PRECISIONS.items():
            inputs = GraphInputs(subject.model, precision, None, {})
            if qtype:
                recipe = replace(CalibrationRecipe.static(qtype), puzzles=len(puzzles))
                if subject.answers is None:
                    recipe = replace(recipe, steps=(1, 2))
                calibrated = calibrate(subject.model, subject.table, puzzles, qtype, recipe)
                inputs = GraphInputs(calibrated.model, precision, qtype, calibrated.layers)
            path = graph_path(folder, subject.name, precision)
            path.parent.mkdir(parents=True, exist_ok=True)
            onnx.save(target_graph(inputs, profile), path)
            click.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def graph_path(folder: Path, subject: str, precision: str) -> Path:
    """Return the path of a subject's graph.

    Args:
        folder: folder of the benchmark.
        subject: name of the subject.
        precision: precision of the graph.
    """
    return folder / subject.replace(" ", "-").lower() / f"{precision}.onnx"


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.option("--only", multiple=True, help="Subjects.")
@click.option("--batch", "batches", multiple=True, type=int, default=(1, 8, 64, 256, 1024))
@click.option("--puzzles", default=512, show_default=True, help="Held-out puzzles to solve.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--seconds", default=0.2, show_default=True, help="Length of one measurement.")
@click.option(
    "--budget",
    default=540.0,
    show_default=True,
    help="Seconds for everything; what is left then is skipped.",
)
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
            report["subjects"][subject.name] = "skipped: the time budget was used up"
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
                for name, milliseconds in times.items():
                    result["runners"][name][f"ms at {batch}"] = milliseconds
        write_text(output, json.dumps(report, indent=1) + "\n")
        click.echo(_table(subject.name, result, batches))
        for runner in able:
            runner.close()


def _checked(runner: Runner, subject: Subject) -> dict[str, Any]:
    """Compare every step with ONNX Runtime on the CPU, then solve the held-out puzzles."""
    tokens, rows = _step_inputs(subject, subject.puzzles[:CHECKED])
    reference = OnnxRuntimeBackend(runner.graph, subject.config, carry=runner.carry)
    with reference:
        expected = list(_trajectory(reference, tokens, rows))
    with runner.backend() as backend:
        actual = list(_trajectory(backend, tokens, rows))
    same_cells = []
    for (_, expected_cells), (_, actual_cells) in zip(expected, actual, strict=True):
        same_cells.append(float((expected_cells == actual_cells).mean()))
    checked = {
        "largest q difference at step 1": float(np.abs(expected[0][0] - actual[0][0]).max()),
        "same cells, first step": same_cells[0],
        "same cells, last step": same_cells[-1],
    }
    if subject.answers is not None:
        with Solver(runner.backend(), subject.table, batch=64) as solver:
            start = time.perf_counter()
            solutions = list(solver.solve(subject.puzzles, ordered=True))
            seconds = time.perf_counter() - start
        answers = np.stack([solution.answer for solution in solutions])
        checked["exact, adaptive"] = float((answers == subject.answers).all(1).mean())
        checked["mean steps"] = float(np.mean([solution.steps for solution in solutions]))
        checked["puzzles per second, first run"] = len(solutions) / seconds
    return checked


def _step_inputs(subject: Subject, puzzles: list[Puzzle]) -> tuple[Any, Any]:
    """Tokens (B, L) and, if the model has a table, puzzle embeddings (B, E)."""
    tokens = np.stack([puzzle.tokens for puzzle in puzzles]).astype(np.int32)
    if not subject.config.puzzle_emb_ndim:
        return tokens, None
    return tokens, subject.table[[puzzle.identifier for puzzle in puzzles]]


def _trajectory(backend: Backend, tokens: Any, rows: Any) -> Iterator[tuple[Any, Any]]:
    """q_halt and predicted cells after each step."""
    backend.start(len(tokens))
    slots = np.arange(len(tokens))
    for step in range(backend.config.halt_max_steps):
        halting_logits = backend.step(tokens, rows, np.full(len(tokens), step == 0))
        yield halting_logits.q_halt, backend.predictions(slots)


def _interleaved(
    able: list[Runner],
    subject: Subject,
    batch: int,
    rounds: int,
    seconds: float,
    unable: dict[str, str],
) -> dict[str, dict[str, float]]:
    """Milliseconds of a step at a number of slots, by runner."""
    tokens, rows = _step_inputs(subject, list(islice(cycle(subject.puzzles), batch)))
    no_reset = np.zeros(batch, np.bool_)
    times: dict[str, list[float]] = {}
    for _ in range(rounds):
        for runner in able:
            if f"{runner.name} at {batch}" in unable:
                continue
            with _reported(unable, f"{runner.name} at {batch}"), runner.backend() as backend:
                backend.start(batch)
                for step in range(6):  # captures graphs, compiles, warms up
                    backend.step(tokens, rows, np.full(batch, step == 0))
                start = time.perf_counter()
                elapsed = 0.0
                count = 0
                while elapsed < seconds:
                    backend.step(tokens, rows, no_reset)
                    count += 1
                    elapsed = time.perf_counter() - start
                times.setdefault(runner.name, []).append(1e3 * elapsed / count)
    result = {}
    for name, values in times.items():
        result[name] = {
            "median": statistics.median(values),
            "minimum": min(values),
            "maximum": max(values),
        }
    return result


@contextmanager
def _reported(unable: dict[str, str], name: str) -> Iterator[None]:
    """Record the failure of a runner: it is a result, too."""
    try:
        yield
    except (TrmEdgeError, RuntimeError, AssertionError) as error:
        unable[name] = f"{type(error).__name__}: {error}"


def _table(name: str, result: dict[str, Any], batches: tuple[int, ...]) -> str:
    lines = [
        f"\n{name}\n",
        "| runner | exact | " + " | ".join(f"ms at {batch}" for batch in batches) + " |",
        "|---" * (len(batches) + 2) + "|",
    ]
    for runner, row in result["runners"].items():
        exact = row.get("exact, adaptive")
        cells = [runner, "-" if exact is None else f"{100 * exact:.1f} %"]
        for batch in batches:
            milliseconds = row.get(f"ms at {batch}")
            cells.append("-" if milliseconds is None else f"{milliseconds['median']:.2f}")
        lines.append(f"| {' | '.join(cells)} |")
    for runner, reason in result["not run"].items():
        lines.append(f"not run: {runner}: {reason[:160]}")
    return "\n".join(lines)


def _machine(gpu: str) -> dict[str, Any]:
    versions: dict[str, Callable[[], str]] = {
        "torch": lambda: torch.__version__,
        "cuda of torch": lambda: str(torch.version.cuda),
        "onnxruntime": lambda: __import__("onnxruntime").__version__,
        "tensorrt": lambda: __import__("tensorrt").__version__,
        "tensorrt_rtx": lambda: __import__("tensorrt_rtx").__version__,
    }
    machine = {
        "gpu": gpu,
        "driver": asdict(probe())["version"],
        "python": platform.python_version(),
    }
    for name, version in versions.items():
        try:
            machine[name] = version()
        except ImportError:
            machine[name] = "not installed"
    return machine


if __name__ == "__main__":
    main()
