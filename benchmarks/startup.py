"""Measure start-up: imports, the command line, a first answer, an export, a calibration.

    python benchmarks/startup.py --output benchmarks/results

Commands run in a new process each time; the median and the minimum are reported. Writes
startup.json and startup.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from lib.extras import require_bench_extra
from lib.references import GRID_MODELS

require_bench_extra("torch", "onnx", "modelopt")

import click
import torch
from lib.machine_line import machine_line
from lib.published_sizes import SIZES, random_model

from trm_edge.calibration.calibrate import calibrate
from trm_edge.calibration.recipe import CalibrationRecipe
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.export.step_graph import step_graph
from trm_edge.files import write_text
from trm_edge.reference import reference_checkpoint
from trm_edge.targets.puzzle_sources import calibration_puzzles, held_out_puzzles
from trm_edge.tasks import task_for

THREADS = 2
PUZZLE = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79\n"
EXPORT_BUDGET = 20.0  # seconds
CALIBRATION_BUDGET = 60.0


@click.command(help=__doc__)
@click.option("--times", default=9, show_default=True, help="Runs of each command.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder.")
def main(times: int, output: Path) -> None:
    torch.set_num_threads(THREADS)
    rows = _command_rows(times)
    for name in SIZES:
        seconds = _seconds(partial(step_graph, random_model(name)))
        rows[f"export of {name}"] = _row([seconds], EXPORT_BUDGET)
    for name in GRID_MODELS:
        seconds = _calibration_seconds(name)
        rows[f"INT8 calibration, {name}"] = _row([seconds], CALIBRATION_BUDGET)
    report = {"machine": machine_line(THREADS), "rows": rows}
    write_text(output / "startup.json", json.dumps(report, indent=1) + "\n")
    page = _page(report)
    write_text(output / "startup.md", page)
    click.echo(page)


def _command_rows(times: int) -> dict[str, dict[str, Any]]:
    """Seconds of whole processes."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = str(Path(folder) / "bundle")
        module = ("-m", "trm_edge")
        _run_python(*module, "export", "--int8", "-o", bundle)
        solve = (*module, "solve", bundle, "-", "--format", "json")
        commands: tuple[tuple[str, tuple[str, ...], str, float | None], ...] = (
            ("python alone", ("-c", "pass"), "", None),
            ("import trm_edge", ("-c", "import trm_edge"), "", 0.1),
            ("trm-edge --help", (*module, "--help"), "", 0.2),
            ("trm-edge solve, one puzzle", solve, PUZZLE, 1.0),
        )
        rows = {}
        for name, arguments, stdin, budget in commands:
            run = partial(_run_python, *arguments, stdin=stdin)
            rows[name] = _row([_seconds(run) for _ in range(times)], budget)
    return rows


def _run_python(*arguments: str, stdin: str = "") -> None:
    command = [sys.executable, *arguments]
    subprocess.run(command, input=stdin, text=True, check=True, capture_output=True)


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _calibration_seconds(name: str) -> float:
    checkpoint = load_checkpoint(reference_checkpoint(name))
    task = task_for(checkpoint.config)
    recipe = CalibrationRecipe.default("int8")
    held_out = held_out_puzzles(task, None, 100)
    puzzles = calibration_puzzles(task, None, None, held_out, recipe.puzzles).puzzles
    table = checkpoint.puzzle_embeddings
    return _seconds(partial(calibrate, checkpoint.model, table, puzzles, "int8", recipe))


def _row(seconds: list[float], budget: float | None) -> dict[str, Any]:
    return {
        "median_seconds": median(seconds),
        "minimum_seconds": min(seconds),
        "budget_seconds": budget,
    }


def _page(report: dict[str, Any]) -> str:
    lines = [
        "# Start-up\n",
        f"`python benchmarks/startup.py`. Machine: {report['machine']}.\n",
        "| | seconds, median | minimum | budget, seconds |\n|---|---|---|---|",
    ]
    for name, row in report["rows"].items():
        budget = row["budget_seconds"]
        limit = "" if budget is None else f"{budget:g}"
        middle = row["median_seconds"]
        lines.append(f"| {name} | {middle:.3f} | {row['minimum_seconds']:.3f} | {limit} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
