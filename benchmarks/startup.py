"""How long until something happens: imports, the command line, a cold answer, an export.

    python benchmarks/startup.py --output benchmarks/results

Every figure is that of a process of its own, begun anew; the smallest and the median of some.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import torch
from lib.machine_line import machine_line
from lib.published_sizes import SIZES, random_model

from trm_edge.calibration.calibrate import calibrate
from trm_edge.calibration.recipe import CalibrationRecipe
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.export.step_graph import step_graph
from trm_edge.files import write_text
from trm_edge.reference import REFERENCES, reference_checkpoint
from trm_edge.targets.puzzle_sources import calibration_puzzles, held_out_puzzles
from trm_edge.tasks import task_for

PUZZLE = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79\n"


@click.command(help=__doc__)
@click.option("--times", default=9, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(times: int, output: Path) -> None:
    torch.set_num_threads(2)
    rows: dict[str, dict[str, Any]] = {}
    python = [sys.executable]
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        export = [*python, "-m", "trm_edge", "export", "--int8", "-o", str(bundle), "--force"]
        subprocess.run(export, check=True, capture_output=True)
        solve = [*python, "-m", "trm_edge", "solve", str(bundle), "-", "--format", "json"]
        for name, command, given, most in (
            ("python alone", [*python, "-c", "pass"], None, None),
            ("import trm_edge", [*python, "-c", "import trm_edge"], None, 0.1),
            ("trm-edge --help", [*python, "-m", "trm_edge", "--help"], None, 0.2),
            ("trm-edge solve, one puzzle", solve, PUZZLE, 1.0),
        ):
            rows[name] = _row([_process(command, given) for _ in range(times)], most)
    for name in SIZES:
        model = random_model(name)
        rows[f"export of {name}"] = _row([_seconds(lambda m=model: step_graph(m))], 20.0)  # type: ignore[misc]
    for name in REFERENCES:
        rows[f"INT8 calibration, {name}"] = _row([_calibration(name)], 60.0)
    report = {"machine": machine_line(2), "rows": rows}
    output.mkdir(parents=True, exist_ok=True)
    write_text(output / "startup.json", json.dumps(report, indent=1) + "\n")
    page = _page(report)
    write_text(output / "startup.md", page)
    click.echo(page)


def _process(command: list[str], given: str | None) -> float:
    def run() -> None:
        subprocess.run(command, input=given, text=True, check=True, capture_output=True)

    return _seconds(run)


def _seconds(run: Any) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _calibration(name: str) -> float:
    checkpoint = load_checkpoint(reference_checkpoint(name))
    task = task_for(checkpoint.config)
    recipe = CalibrationRecipe.default("int8")
    held_out = held_out_puzzles(task, None, 100)
    seen = calibration_puzzles(task, None, None, held_out, recipe.puzzles).puzzles
    return _seconds(
        lambda: calibrate(checkpoint.model, checkpoint.puzzle_embeddings, seen, "int8", recipe)
    )


def _row(seconds: list[float], most: float | None) -> dict[str, Any]:
    return {"median": median(seconds), "least": float(np.min(seconds)), "asked": most}


def _page(report: dict[str, Any]) -> str:
    lines = [
        "# Until something happens\n",
        f"`python benchmarks/startup.py`. Machine: {report['machine']}.\n",
        "| | seconds, median | least | asked for, at most |\n|---|---|---|---|",
    ]
    for name, row in report["rows"].items():
        asked = "" if row["asked"] is None else f"{row['asked']:g}"
        lines.append(f"| {name} | {row['median']:.3f} | {row['least']:.3f} | {asked} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
