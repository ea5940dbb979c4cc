"""Measure halting thresholds, stopping on unchanged predictions, and rollouts.

    python benchmarks/halting.py --output benchmarks/results --picture docs/images/halting.svg \\
        --update docs/speed.md

The bundled models in INT8 on their held-out puzzles, or the models that are named. Every puzzle
runs all steps once in each augmentation; the answer and the number of steps of every rule are
derived from that. Writes halting.json and halting.md, in which the figures of other models stay.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from lib.extras import require_bench_extra
from lib.references import GRID_MODELS, MEASURED_MODELS, WIDE, checkpoint_of

require_bench_extra("torch", "onnx", "modelopt", "matplotlib")

import click
import numpy as np
import torch
from lib.attempts import Attempts
from lib.document_tables import update_tables
from lib.halting_picture import draw
from lib.halting_tables import document_tables, page
from lib.int8_graph import write_int8_graph
from lib.tries import PuzzleSet, Tries

from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.cli.options import ThreadCount
from trm_edge.config import ModelConfig
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.files import check_writable, write_text
from trm_edge.loop.exploration import Exploration
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solver import Solver
from trm_edge.progress import Track, progress_bars
from trm_edge.targets.puzzle_sources import held_out_puzzles
from trm_edge.tasks import task_for

TRIES = 8
THRESHOLDS = (-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)


class Counts(NamedTuple):
    """Numbers of puzzles of a model.

    Args:
        rules: for halting rules.
        rollouts: for rollouts, which solve each of them 8 times; 0 for none.
    """

    rules: int
    rollouts: int


# Minutes of one core each.
COUNTS = {"sudoku": Counts(2000, 512), "maze": Counts(1000, 192), WIDE: Counts(512, 0)}


class RolloutLimit(NamedTuple):
    """Limit of the rollouts of a puzzle.

    Args:
        tries: number of attempts, at most.
        min_confidence: no further attempt once this confidence is reached.
    """

    tries: int
    min_confidence: float


LIMITS = (
    RolloutLimit(1, 1.0),
    RolloutLimit(2, 1.0),
    RolloutLimit(4, 1.0),
    RolloutLimit(8, 1.0),
    RolloutLimit(8, 0.9),
    RolloutLimit(8, 0.99),
)


@click.command(help=__doc__)
@click.option(
    "--puzzles", type=click.IntRange(1, 2000), help="For the rules, by default 512 to 2,000."
)
@click.option(
    "--rollout-puzzles",
    type=click.IntRange(0, 2000),
    help="For rollouts, by default 0 (none) to 512.",
)
@click.option(
    "--model", "models", multiple=True, type=click.Choice(MEASURED_MODELS), help="Repeatable."
)
@click.option("--threads", type=ThreadCount(), default=0, help="0: as many as cores.")
@click.option("--picture", type=click.Path(path_type=Path), help="Draw the curves to this SVG.")
@click.option("--update", "document", type=click.Path(path_type=Path, exists=True))
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder.")
def main(
    puzzles: int | None,
    rollout_puzzles: int | None,
    models: tuple[str, ...],
    threads: int,
    picture: Path | None,
    document: Path | None,
    output: Path,
) -> None:
    results = output / "halting.json"
    check_writable(results)
    if threads:
        torch.set_num_threads(threads)
    measured: dict[str, Any] = {}
    if results.exists():
        measured = json.loads(results.read_text(encoding="utf-8"))
    with progress_bars() as track:
        for name in models or GRID_MODELS:
            counts = COUNTS[name]
            if puzzles is not None:
                counts = counts._replace(rules=puzzles)
            if rollout_puzzles is not None:
                counts = counts._replace(rollouts=rollout_puzzles)
            measured[name] = _measure(name, counts, threads, track)
            report = {model: measured[model] for model in MEASURED_MODELS if model in measured}
            write_text(results, json.dumps(report, indent=1) + "\n")
    content = _page(report)
    write_text(output / "halting.md", content)
    click.echo(content)
    if picture:
        draw(report, picture)
    if document:
        update_tables(document, document_tables(report))


def _measure(name: str, counts: Counts, threads: int, track: Track) -> dict[str, Any]:
    checkpoint = load_checkpoint(checkpoint_of(name))
    config = checkpoint.config
    task = task_for(config)
    held_out = held_out_puzzles(task, None, max(counts))
    answers = np.stack([entry.answer for entry in held_out.entries if entry.answer is not None])
    every_puzzle = PuzzleSet("all", held_out.puzzles[: counts.rules], answers[: counts.rules])
    some = slice(counts.rollouts)
    some_puzzles = PuzzleSet("some", held_out.puzzles[some], answers[some])
    augmentations = Exploration(TRIES, task.augmentations(TRIES))
    fixed = HaltingRule.from_config(config, "fixed")
    rollouts = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "step.onnx"
        write_int8_graph(checkpoint, held_out, path, track)
        backend = OnnxRuntimeBackend(path, config, threads=threads, trusted=True)
        table = checkpoint.puzzle_embeddings
        with Solver(backend, table, halting=fixed, trace=True) as solver:
            single = Tries.make(solver, Exploration(1), every_puzzle, track, "one try")
            if counts.rollouts:
                tries = Tries.make(solver, augmentations, some_puzzles, track, "augmentations")
                rollouts["augmentations"] = _rollout_rows(Attempts.of(tries), config)
    return {
        "puzzles": counts.rules,
        "rollout puzzles": counts.rollouts,
        "rules": _rule_rows(Attempts.of(single), config),
        "rollouts": rollouts,
    }


def _rule_rows(single: Attempts, config: ModelConfig) -> dict[str, dict[str, Any]]:
    """Results of one attempt under each rule."""
    fixed = {}
    for steps in (1, 2, 3, 4, 6, 8, 12, config.halt_max_steps):
        fixed[str(steps)] = single.best(HaltingRule.from_config(config, "fixed", max_steps=steps))
    thresholds = {}
    for threshold in THRESHOLDS:
        rule = HaltingRule.from_config(config, threshold=threshold)
        thresholds[str(threshold)] = single.best(rule)
    unchanged = {}
    for steps in (1, 2, 3, 4):
        rule = HaltingRule.from_config(config, "fixed", unchanged=steps)
        unchanged[str(steps)] = single.best(rule)
    adaptive_or_unchanged = {}
    for steps in (2, 3, 4):
        rule = HaltingRule.from_config(config, unchanged=steps)
        adaptive_or_unchanged[str(steps)] = single.best(rule)
    return {
        "fixed, N steps": fixed,
        "adaptive, threshold": thresholds,
        "unchanged for K steps": unchanged,
        "adaptive or unchanged for K": adaptive_or_unchanged,
    }


def _rollout_rows(attempts: Attempts, config: ModelConfig) -> dict[str, Any]:
    rows = {}
    for threshold in (0.0, 2.0):
        rule = HaltingRule.from_config(config, threshold=threshold)
        for limit in LIMITS:
            name = (
                f"threshold {threshold:g}, {limit.tries} tries, confidence {limit.min_confidence:g}"
            )
            rows[name] = attempts.best(rule, limit.tries, limit.min_confidence)
    return rows


def _page(report: dict[str, Any]) -> str:
    return page(report)


if __name__ == "__main__":
    main()
