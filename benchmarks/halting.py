"""More answers for the same work: what thresholds, unchanged predictions and rollouts are worth.

    python benchmarks/halting.py --output benchmarks/results --picture docs/images/halting.svg

The bundled models in INT8, on their held-out puzzles. Every puzzle runs all its steps once in each
form; what a rule would have answered, and after how many steps, is read off that.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from lib.halting_picture import draw
from numpy.typing import NDArray

from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.bundle import Bundle
from trm_edge.evaluation.statistics import wilson_interval
from trm_edge.evaluation.vectors import halting_steps
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.files import write_text
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solver import Solver
from trm_edge.progress import Track, progress_bars
from trm_edge.puzzle import Puzzle
from trm_edge.reference import REFERENCES, reference_checkpoint
from trm_edge.targets.export_bundle import export_bundle
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.puzzle_sources import held_out_puzzles
from trm_edge.targets.request import ExportRequest
from trm_edge.tasks import task_for
from trm_edge.tasks.augmentation import Augmentation

FORMS = 8
THRESHOLDS = (-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
# Of a random start, and of every step; in multiples of the carry's own RMS, which is 1.
NOISE = {"a random start": (1.0, 0.0), "noise before every step": (0.3, 0.3)}
Array = NDArray[Any]


class Tries:
    """Every try at n puzzles, all steps: right (k, n, T), q_halt and q_continue alike."""

    def __init__(self, predictions: Array, q: Array, answers: Array) -> None:
        self.predictions, self.q = predictions, q  # (k, n, T, L), (2, k, n, T)
        self.right = (predictions == answers[:, None]).all(-1)

    def stopped(self, rule: HaltingRule, tries: int) -> tuple[Array, Array, Array]:
        """Right, q_halt and steps (k, n) where the rule stops."""
        steps = np.stack(
            [
                halting_steps(rule, *self.q[:, k], predictions=self.predictions[k])
                for k in range(tries)
            ]
        )
        at = steps[..., None] - 1
        right, q = (
            np.take_along_axis(every[:tries], at, -1)[..., 0] for every in (self.right, self.q[0])
        )
        return right, q, steps

    def best(self, rule: HaltingRule, tries: int = 1, sure: float = 1.0) -> dict[str, Any]:
        """As ``trm_edge.loop.rollouts`` chooses: the highest q_halt, no further try once sure."""
        right, q, steps = self.stopped(rule, tries)
        enough = 1 / (1 + np.exp(-q.astype(np.float64))) >= sure
        until = np.where(enough.any(0), enough.argmax(0), tries - 1)  # the last try of each
        tried = np.arange(tries)[:, None] <= until
        best = np.where(tried, q, -np.inf).argmax(0)
        solved = right[best, np.arange(right.shape[1])]
        low, high = wilson_interval(int(solved.sum()), len(solved))
        return {
            "exact": float(solved.mean()),
            "interval": [low, high],
            "steps": float((steps * tried).sum(0).mean()),
            "tries": float(tried.sum(0).mean()),
        }


@click.command(help=__doc__)
@click.option("--puzzles", default=2000, show_default=True, help="Of the rules.")
@click.option("--rollout-puzzles", default=512, show_default=True)
@click.option("--model", "models", multiple=True, type=click.Choice(REFERENCES))
@click.option("--picture", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(
    puzzles: int,
    rollout_puzzles: int,
    models: tuple[str, ...],
    picture: Path | None,
    output: Path,
) -> None:
    report: dict[str, Any] = {}
    output.mkdir(parents=True, exist_ok=True)
    with progress_bars() as track:
        for name in models or REFERENCES:
            report[name] = _measure(name, puzzles, rollout_puzzles, track)
            write_text(output / "halting.json", json.dumps(report, indent=1) + "\n")
    page = _page(report)
    write_text(output / "halting.md", page)
    click.echo(page)
    if picture:
        draw(report, picture)


def _measure(name: str, count: int, rollouts: int, track: Track) -> dict[str, Any]:
    checkpoint = load_checkpoint(reference_checkpoint(name))
    task, config = task_for(checkpoint.config), checkpoint.config
    entries = held_out_puzzles(task, None, count).entries
    puzzles = [entry.puzzle for entry in entries]
    answers = np.stack([entry.answer for entry in entries if entry.answer is not None])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle"
        request = ExportRequest(checkpoint, task, "int8", (load_profile("cpu"),))
        export_bundle(request, path)
        table = Bundle.open(path).puzzle_embeddings()
        backend = OnnxRuntimeBackend(path / "cpu/step.onnx", config)
        forms = task.augmentations(FORMS)
        whole = _in_forms(backend, table, puzzles, answers, forms[:1], track)
        few, known = puzzles[:rollouts], answers[:rollouts]
        tries = {
            "forms of the puzzle": _in_forms(backend, table, few, known, forms, track),
            **{
                what: _noisy(backend, table, few, known, checkpoint.model, noise, track)
                for what, noise in NOISE.items()
            },
        }

    def rule(mode: Any = "adaptive", **change: Any) -> HaltingRule:
        return HaltingRule.from_config(config, mode, **change)

    most = config.halt_max_steps
    return {
        "puzzles": len(puzzles),
        "rollout puzzles": len(few),
        "rules": {
            "fixed, N steps": {
                n: whole.best(rule("fixed", max_steps=n)) for n in (1, 2, 3, 4, 6, 8, 12, most)
            },
            "adaptive, threshold": {
                value: whole.best(rule(threshold=value)) for value in THRESHOLDS
            },
            "unchanged for K steps": {
                k: whole.best(rule("fixed", unchanged=k)) for k in (1, 2, 3, 4)
            },
            "adaptive or unchanged for K": {k: whole.best(rule(unchanged=k)) for k in (2, 3, 4)},
        },
        "rollouts": {
            what: {
                f"threshold {threshold:g}, {k} tries, sure {sure:g}": some.best(
                    rule(threshold=threshold), k, sure
                )
                for threshold in (0.0, 2.0)
                for k, sure in ((1, 1.0), (2, 1.0), (4, 1.0), (8, 1.0), (8, 0.9), (8, 0.99))
            }
            for what, some in tries.items()
        },
    }


def _in_forms(
    backend: OnnxRuntimeBackend,
    table: Any,
    puzzles: list[Puzzle],
    answers: Array,
    forms: list[Augmentation],
    track: Track,
) -> Tries:
    steps = backend.config.halt_max_steps
    predictions = np.zeros((len(forms), len(puzzles), steps, answers.shape[1]), np.uint8)
    q = np.zeros((2, len(forms), len(puzzles), steps), np.float32)
    fixed = HaltingRule.from_config(backend.config, "fixed")
    for k, form in enumerate(forms):
        given = [Puzzle(form.apply(one.tokens), one.identifier) for one in puzzles]
        with Solver(backend, table, halting=fixed, trace=True) as solver:
            for one in track(solver.solve(given), f"form {k + 1}", len(given)):
                assert one.trajectory is not None
                predictions[k, one.index] = [form.invert(row) for row in one.trajectory]
                q[:, k, one.index] = one.q_halt, one.q_continue
    return Tries(predictions, q, answers)


def _noisy(
    backend: OnnxRuntimeBackend,
    table: Any,
    puzzles: list[Puzzle],
    answers: Array,
    model: Any,
    noise: tuple[float, float],
    track: Track,
) -> Tries:
    """The same form each time, the carry shaken at the start and before every later step."""
    config, rng, batch = backend.config, np.random.default_rng(0), 32
    steps = config.halt_max_steps
    predictions = np.zeros((FORMS, len(puzzles), steps, answers.shape[1]), np.uint8)
    q = np.zeros((2, FORMS, len(puzzles), steps), np.float32)
    start = [state.numpy(force=True).astype(np.float32) for state in (model.H_init, model.L_init)]

    def shaken(state: Array, scale: float) -> Array:
        if not scale:
            return state
        moved: Array = state + scale * rng.standard_normal(state.shape, dtype=np.float32)
        return moved

    work = [(k, first) for k in range(FORMS) for first in range(0, len(puzzles), batch)]
    with torch.inference_mode(), backend:
        for k, first in track(work, f"noise {noise}", len(work)):
            some = slice(first, first + batch)
            tokens = np.stack([one.tokens for one in puzzles[some]])
            rows = None
            if table is not None:
                rows = np.stack([table[one.identifier] for one in puzzles[some]])
            count = len(tokens)
            shape = (count, config.carry_len, config.hidden_size)
            z_H, z_L = (
                shaken(np.broadcast_to(state, shape), noise[0] if k else 0.0) for state in start
            )
            for step in range(steps):
                if step and k:
                    z_H, z_L = shaken(z_H, noise[1]), shaken(z_L, noise[1])
                z_H, z_L = (np.ascontiguousarray(state) for state in (z_H, z_L))
                out = backend.run(tokens, rows, np.zeros(count, np.bool_), z_H, z_L)
                z_H, z_L = out.z_H, out.z_L
                predictions[k, some, step] = out.logits.argmax(-1)
                q[:, k, some, step] = out.q_halt, out.q_continue
    return Tries(predictions, q, answers)


def _page(report: dict[str, Any]) -> str:
    lines = ["# More answers for the same work\n\n`python benchmarks/halting.py`. INT8.\n"]
    head = "| | exact, % (95 %) | steps on average |\n|---|---|---|"

    def row(label: str, found: dict[str, Any]) -> str:
        low, high = found["interval"]
        return (
            f"| {label} | {100 * found['exact']:.1f} ({100 * low:.1f} - {100 * high:.1f}) "
            f"| {found['steps']:.2f} |"
        )

    show: Callable[[dict[str, Any]], list[str]] = lambda rows: [  # noqa: E731
        row(f"{kind} {value}" if kind else value, found)
        for kind, values in rows.items()
        for value, found in values.items()
    ]
    for name, found in report.items():
        lines += [f"\n{name}, {found['puzzles']} puzzles\n", head, *show(found["rules"])]
        lines += [f"\n{name}, rollouts, {found['rollout puzzles']} puzzles\n", head]
        lines += show({f"{what}:": values for what, values in found["rollouts"].items()})
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
