"""Measure what more tries and more depth are worth: explorers and selectors, in both precisions.

    python benchmarks/search.py --output benchmarks/results --update docs/speed.md \\
        --picture docs/images/search.svg
    python benchmarks/search.py --output build/search --checkpoint runs/mine/step_2000

The bundled models solve held-out puzzles and harder ones than they were trained for: Sudokus with
more blanks, mazes with longer ways. Every try is made once, halting adaptively, and each selector
chooses among the first 1, 2, 4 ... of them, ending where it has decided. Depth takes every puzzle
through four times the model's steps. Writes search.json after every part and resumes from it.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lib.extras import require_bench_extra
from lib.references import GRID_MODELS

require_bench_extra("torch", "onnx", "matplotlib")

import click
import numpy as np
from lib.document_tables import update_tables
from lib.search_picture import draw
from lib.tries import Outcome, PuzzleSet, Tries
from numpy.typing import NDArray

from trm_edge.bundle import Bundle
from trm_edge.export.checkpoint import Checkpoint, load_checkpoint
from trm_edge.files import check_writable, write_text
from trm_edge.loop.exploration import Exploration
from trm_edge.loop.halting import HaltingMode, HaltingRule
from trm_edge.loop.selection import SelectorName, selector_for
from trm_edge.loop.solver import Solver
from trm_edge.profile import Precision
from trm_edge.progress import Track, progress_bars
from trm_edge.puzzle import Puzzle
from trm_edge.reference import reference_checkpoint
from trm_edge.targets.export_bundle import export_bundle
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.puzzle_sources import held_out_puzzles
from trm_edge.targets.request import ExportRequest
from trm_edge.tasks import task_for
from trm_edge.tasks.base import Task

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

SELECTORS: tuple[SelectorName, ...] = ("q", "mode", "settled", "valid")
SETTLED = ("noise 0.3", "start 1")  # explorers that also run with fixed halting, for `settled`
PRECISIONS: dict[str, Precision] = {"float32": "fp32", "int8": "int8"}
DEPTH_FACTOR = 4
HARD_SEED = 11
HARD_BLANKS = 57  # the bundled Sudoku model was trained on 36 to 56
HARD_WAY = 0.25  # share of the mazes with the longest ways


@dataclass(frozen=True)
class Explorer:
    """A way to make tries differ.

    Args:
        name: as in ``trm-edge solve --explore``, with its sigma.
        forms: augmentations of the puzzle.
        noise: standard deviation of the noise before every step.
        start: standard deviation of a random start.
    """

    name: str
    forms: bool = False
    noise: float = 0.0
    start: float = 0.0

    def exploration(self, task: Task, tries: int) -> Exploration | None:
        """Make the exploration; None where the task has too few forms.

        Args:
            task: of the model.
            tries: number of tries.
        """
        forms = min(tries, task.augmentation_limit) if self.forms else 0
        if self.forms and not self.noise and forms < tries:
            return Exploration(forms, task.augmentations(forms)) if forms > 1 else None
        augmentations = task.augmentations(forms) if forms else ()
        return Exploration(tries, augmentations, noise=self.noise, start=self.start)


EXPLORERS = (
    Explorer("forms", forms=True),
    Explorer("noise 0.3", noise=0.3),
    Explorer("noise 1", noise=1.0),
    Explorer("start 1", start=1.0),
    Explorer("forms, noise 0.3", forms=True, noise=0.3),
)


class Subject:
    """A model with its bundles in both precisions.

    Args:
        name: for the table.
        checkpoint: the model.
        folder: for the bundles.
        hard: also solve harder puzzles.
        count: number of puzzles in each set.
    """

    def __init__(
        self, name: str, checkpoint: Checkpoint, folder: Path, count: int, *, hard: bool
    ) -> None:
        self.name = name
        self.checkpoint = checkpoint
        self.config = checkpoint.config
        self.task = task_for(self.config)
        self.folder = folder
        self.sets = [self._held_out(count)]
        if hard:
            self.sets.append(_harder(self.task, count))

    def _held_out(self, count: int) -> PuzzleSet:
        entries = held_out_puzzles(self.task, None, count).entries
        answers = np.stack([entry.answer for entry in entries if entry.answer is not None])
        return PuzzleSet("held out", [entry.puzzle for entry in entries], answers)

    def bundle(self, precision: str) -> Bundle:
        """Export the model, once.

        Args:
            precision: ``float32`` or ``int8``.
        """
        path = self.folder / f"{self.name}-{precision}"
        if not path.exists():
            name = PRECISIONS[precision]
            targets = (load_profile("cpu"),)
            export_bundle(ExportRequest(self.checkpoint, self.task, name, targets), path)
        return Bundle.open(path)

    def parts(self, tries: int, batch: int, threads: int) -> Iterator[_Part]:
        """List everything that is measured.

        Args:
            tries: number of tries.
            batch: number of slots.
            threads: CPU threads; 0 for every core.
        """
        for precision in PRECISIONS:
            for puzzles in self.sets:
                yield _Part(self, precision, puzzles, None, 1, batch, threads)
                for explorer in EXPLORERS:
                    yield _Part(self, precision, puzzles, explorer, tries, batch, threads)
                for explorer in EXPLORERS:
                    if explorer.name in SETTLED:
                        part = _Part(self, precision, puzzles, explorer, tries, batch, threads)
                        yield replace(part, mode="fixed")


@dataclass(frozen=True)
class _Part:
    """An explorer, or depth, on a set of puzzles."""

    subject: Subject
    precision: str
    puzzles: PuzzleSet
    explorer: Explorer | None  # None: depth
    tries: int
    batch: int
    threads: int
    mode: HaltingMode = "adaptive"

    @property
    def key(self) -> str:
        """Name of the part in the results."""
        explorer = self.explorer.name if self.explorer else "depth"
        if self.mode == "fixed":
            explorer += " (fixed halting)"
        count = len(self.puzzles.puzzles)
        return (
            f"{self.subject.name}, {self.precision}, {count} {self.puzzles.name}: {explorer}, "
            f"{self.tries} tries"
        )

    def measure(self, track: Track) -> dict[str, Any]:
        """Measure it; empty where the task does not have the explorer."""
        if self.explorer is None:
            return self._depth(track)
        exploration = self.explorer.exploration(self.subject.task, self.tries)
        if exploration is None:
            return {}
        with self._solver(HaltingRule.from_config(self.subject.config, self.mode)) as solver:
            tries = Tries.make(solver, exploration, self.puzzles, track, self.key)
        rows: dict[str, Any] = {}
        count = 1
        while count <= exploration.tries:
            for name in SELECTORS:
                if name == "valid" and not self.subject.task.judges:
                    continue
                if name == "settled" and self.mode != "fixed":
                    continue
                selector = selector_for(self.subject.task, name)
                rows[f"{name}, {count}"] = tries.outcome(selector, count).to_dict()
            rows[f"any, {count}"] = {"exact": tries.any_right(count)}
            count *= 2
        return rows

    def _depth(self, track: Track) -> dict[str, Any]:
        """Exact match by the number of steps, and the flips against the model's own."""
        own = self.subject.config.halt_max_steps
        deep = HaltingRule.from_config(self.subject.config, "fixed", max_steps=DEPTH_FACTOR * own)
        right = np.zeros((len(self.puzzles.puzzles), DEPTH_FACTOR * own), np.bool_)
        stops = np.zeros_like(right)
        with self._solver(deep, trace=True) as solver:
            solutions = solver.solve(self.puzzles.puzzles)
            for solution in track(solutions, self.key, len(right)):
                assert solution.trajectory is not None
                answer = self.puzzles.answers[solution.index]
                right[solution.index] = (solution.trajectory == answer).all(1)
                stops[solution.index] = deep.wants_to_stop(solution.q_halt, solution.q_continue)
        rows = {}
        for steps in (own // 4, own // 2, own, 2 * own, DEPTH_FACTOR * own):
            last = right[:, steps - 1]
            row = _share(last, np.full(len(right), steps))
            row["lost"] = int((right[:, own - 1] & ~last).sum())
            row["gained"] = int((last & ~right[:, own - 1]).sum())
            rows[f"fixed, {steps}"] = row
            stop = stops[:, :steps].copy()
            stop[:, -1] = True
            step = stop.argmax(1)
            rows[f"adaptive, {steps}"] = _share(right[np.arange(len(right)), step], step + 1)
        return rows

    def _solver(self, rule: HaltingRule, *, trace: bool = False) -> Solver:
        bundle = self.subject.bundle(self.precision)
        return bundle.solver(
            "cpu",
            batch=self.batch,
            halting=rule,
            threads=self.threads,
            trace=trace,
            measure_changes=not trace,
        )


def _share(right: NDArray[np.bool_], steps: NDArray[Any]) -> dict[str, Any]:
    return Outcome(right, steps.astype(np.int64), np.ones(len(right), np.int64)).to_dict()


def _harder(task: Task, count: int) -> PuzzleSet:
    """Puzzles beyond what the bundled models were trained for."""
    if task.name == "maze":
        import maze_generator

        tokens, labels = maze_generator.generate(round(count / HARD_WAY), HARD_SEED)
        way = (labels == maze_generator.WAY).sum(1)
        longest = np.argsort(-way, kind="stable")[:count]
        name = f"with ways of {way[longest].min()} cells or more"
        return PuzzleSet(name, [Puzzle(row) for row in _int32(tokens[longest])], labels[longest])
    import sudoku_generator

    digs = sudoku_generator.generate(count, HARD_BLANKS, HARD_SEED)
    blanks = np.full(count, HARD_BLANKS)
    puzzles, solutions = digs.puzzles(np.arange(count), blanks)
    # The published vocabulary: 0 pad, 1 blank, digit + 1.
    return PuzzleSet(
        f"with {HARD_BLANKS} blanks", [Puzzle(row) for row in _int32(puzzles + 1)], solutions + 1
    )


def _int32(tokens: NDArray[Any]) -> NDArray[np.int32]:
    return tokens.astype(np.int32)


def _page(results: dict[str, Any]) -> str:
    page = "# Tries, selectors and depth\n\n`python benchmarks/search.py`\n"
    for title, table in _tables(results).items():
        page += f"\n{title}\n\n{table}\n"
    return page


_HEAD = """\
| puzzles | explorer | selector | tries | exact, float32, % (95 %) | exact, INT8, % (95 %) | \
steps, INT8 |
|---|---|---|---|---|---|---|"""


def _tables(results: dict[str, Any]) -> dict[str, str]:
    """A table for each model: depth, then each explorer by selector at 1 try and at the most."""
    tables: dict[str, list[str]] = {}
    for key, rows in results.items():
        subject, precision, rest = key.split(", ", 2)
        if precision != "int8" or not rows:
            continue
        float_rows = results.get(f"{subject}, float32, {rest}", {})
        puzzles, _, explorer = rest.rpartition(": ")
        explorer = explorer.rpartition(", ")[0]
        lines = tables.setdefault(f"{subject} search", [_HEAD])
        for name in _shown(rows):
            row = rows[name]
            selector, count = name.rsplit(", ", 1)
            if explorer == "depth":
                cells = [puzzles, f"depth, {count} steps", selector, "1"]
            else:
                cells = [puzzles, explorer, selector, count]
            cells += [_exact(float_rows.get(name)), _exact(row), f"{row['steps']:.2f}"]
            lines.append(f"| {' | '.join(cells)} |")
    return {name: "\n".join(lines) for name, lines in tables.items()}


def _shown(rows: dict[str, Any]) -> list[str]:
    """Names of the rows in the table: all of depth, the most tries of each selector."""
    if any(name.startswith("fixed") for name in rows):
        return list(rows)
    most = max(int(name.rsplit(", ", 1)[1]) for name in rows)
    return [f"{name}, {most}" for name in SELECTORS if f"{name}, {most}" in rows]


def _exact(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    low, high = row["interval"]
    flips = f", -{row['lost']} +{row['gained']}" if "lost" in row else ""
    return f"{100 * row['exact']:.1f} ({100 * low:.1f} - {100 * high:.1f}){flips}"


@click.command(help=__doc__)
@click.option("--puzzles", default=256, show_default=True, help="In each set.")
@click.option("--tries", default=32, show_default=True)
@click.option(
    "--model", "models", multiple=True, type=click.Choice(GRID_MODELS), help="Repeatable."
)
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Instead of bundled models.")
@click.option("--name", default="checkpoint", show_default=True, help="Of the checkpoint.")
@click.option("--hard/--no-hard", default=True, show_default=True, help="Harder puzzles, too.")
@click.option("--batch", default=32, show_default=True)
@click.option("--threads", type=click.IntRange(min=0), default=0, help="0: as many as cores.")
@click.option("--bundles", type=click.Path(path_type=Path), help="Keep and reuse bundles here.")
@click.option("--update", "document", type=click.Path(path_type=Path, exists=True))
@click.option("--picture", type=click.Path(path_type=Path), help="Draw the curves to this SVG.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder.")
def main(
    puzzles: int,
    tries: int,
    models: tuple[str, ...],
    checkpoint: Path | None,
    name: str,
    hard: bool,
    batch: int,
    threads: int,
    bundles: Path | None,
    document: Path | None,
    picture: Path | None,
    output: Path,
) -> None:
    path = output / "search.json"
    check_writable(path)
    results: dict[str, Any] = {}
    if path.exists():
        results = json.loads(path.read_text(encoding="utf-8"))
    sources = {model: reference_checkpoint(model) for model in models or GRID_MODELS}
    if checkpoint is not None:
        sources = {name: checkpoint}
    with tempfile.TemporaryDirectory() as temporary, progress_bars() as track:
        folder = bundles or Path(temporary)
        for label, source in sources.items():
            subject = Subject(label, load_checkpoint(source), folder, puzzles, hard=hard)
            for part in subject.parts(tries, batch, threads):
                if part.key in results:
                    continue
                results[part.key] = part.measure(track)
                write_text(path, json.dumps(results, indent=1) + "\n")
    page = _page(results)
    write_text(output / "search.md", page)
    click.echo(page)
    if document:
        update_tables(document, _tables(results))
    if picture:
        draw(results, picture)


if __name__ == "__main__":
    main()
