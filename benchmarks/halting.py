"""Measure halting thresholds, stopping on unchanged predictions, and rollouts.

    python benchmarks/halting.py --output benchmarks/results --picture docs/images/halting.svg

The bundled models in INT8 on their held-out puzzles. Every puzzle runs all steps once in each
augmentation; the answer and the number of steps of every rule are derived from that. Writes
halting.json and halting.md.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from lib.extras import require_bench_extra
from lib.references import GRID_MODELS

require_bench_extra("torch", "onnx", "modelopt", "matplotlib")

import click
import numpy as np
from lib.attempts import Attempts
from lib.halting_picture import draw
from lib.tries import PuzzleSet, Tries

from trm_edge.bundle import Bundle
from trm_edge.config import ModelConfig
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.files import check_writable, write_text
from trm_edge.loop.exploration import Exploration
from trm_edge.loop.halting import HaltingRule
from trm_edge.progress import Track, progress_bars
from trm_edge.reference import reference_checkpoint
from trm_edge.targets.export_bundle import export_bundle
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.puzzle_sources import held_out_puzzles
from trm_edge.targets.request import ExportRequest
from trm_edge.tasks import task_for

TRIES = 8
THRESHOLDS = (-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)


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
@click.option("--puzzles", default=2000, show_default=True, help="For the rules.")
@click.option("--rollout-puzzles", default=512, show_default=True, help="For the rollouts.")
@click.option(
    "--model", "models", multiple=True, type=click.Choice(GRID_MODELS), help="Repeatable."
)
@click.option("--picture", type=click.Path(path_type=Path), help="Draw the curves to this SVG.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder.")
def main(
    puzzles: int,
    rollout_puzzles: int,
    models: tuple[str, ...],
    picture: Path | None,
    output: Path,
) -> None:
    results = output / "halting.json"
    check_writable(results)
    report: dict[str, Any] = {}
    with progress_bars() as track:
        for name in models or GRID_MODELS:
            report[name] = _measure(name, puzzles, rollout_puzzles, track)
            write_text(results, json.dumps(report, indent=1) + "\n")
    page = _page(report)
    write_text(output / "halting.md", page)
    click.echo(page)
    if picture:
        draw(report, picture)


def _measure(name: str, count: int, rollout_count: int, track: Track) -> dict[str, Any]:
    checkpoint = load_checkpoint(reference_checkpoint(name))
    config = checkpoint.config
    task = task_for(config)
    entries = held_out_puzzles(task, None, count).entries
    puzzles = [entry.puzzle for entry in entries]
    answers = np.stack([entry.answer for entry in entries if entry.answer is not None])
    for_rollouts = slice(rollout_count)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle"
        export_bundle(ExportRequest(checkpoint, task, "int8", (load_profile("cpu"),)), path)
        fixed = HaltingRule.from_config(config, "fixed")
        with Bundle.open(path).solver("cpu", halting=fixed, trace=True) as solver:
            every_puzzle = PuzzleSet("all", puzzles, answers)
            single = Tries.make(solver, Exploration(1), every_puzzle, track, "one try")
            some_puzzles = PuzzleSet("some", puzzles[for_rollouts], answers[for_rollouts])
            augmentations = Exploration(TRIES, task.augmentations(TRIES))
            tries = Tries.make(solver, augmentations, some_puzzles, track, "augmentations")
    return {
        "puzzles": len(puzzles),
        "rollout puzzles": len(some_puzzles.puzzles),
        "rules": _rule_rows(Attempts.of(single), config),
        "rollouts": {"augmentations": _rollout_rows(Attempts.of(tries), config)},
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
    lines = ["# Halting rules and rollouts\n\n`python benchmarks/halting.py`. INT8.\n"]
    head = "| | exact, % (95 %) | mean steps |\n|---|---|---|"
    for name, result in report.items():
        lines += [f"\n{name}, {result['puzzles']} puzzles\n", head]
        for rule, rows in result["rules"].items():
            lines += [_line(f"{rule} {value}", row) for value, row in rows.items()]
        lines += [f"\n{name}, rollouts, {result['rollout puzzles']} puzzles\n", head]
        for source, rows in result["rollouts"].items():
            lines += [_line(f"{source}: {limit}", row) for limit, row in rows.items()]
    return "\n".join(lines) + "\n"


def _line(label: str, row: dict[str, Any]) -> str:
    low, high = row["interval"]
    interval = f"{100 * low:.1f} - {100 * high:.1f}"
    return f"| {label} | {100 * row['exact']:.1f} ({interval}) | {row['steps']:.2f} |"


if __name__ == "__main__":
    main()
