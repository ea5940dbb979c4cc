"""Measure the accuracy that quantization costs, and the effect of each part of the quantizer.

    python benchmarks/quantization.py --update docs/quantization.md

Every row is a reference model, calibrated, exported and run by ONNX Runtime, compared with its own
float32 answers to the same held-out puzzles. Prints Markdown; with --update, the tables of that
file are replaced, each between its two markers.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from pathlib import Path

from lib.extras import require_bench_extra
from lib.references import GRID_MODELS

require_bench_extra("torch", "onnx", "modelopt")

import click
import onnx
import torch
from lib.document_tables import update_tables
from lib.quantization_rows import (
    ABLATIONS,
    ABLATIONS_OF,
    DEFAULTS,
    INT8,
    SAME_AS,
    Row,
    Subject,
)

from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.calibration.fp8_arithmetic import fp8_in_float32
from trm_edge.cli.options import ThreadCount
from trm_edge.evaluation.parity import ModeParity, ParityReport, compare
from trm_edge.evaluation.recording import labels_of, record_vectors
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.export.step_graph import step_graph
from trm_edge.files import write_text
from trm_edge.progress import Track, progress_bars
from trm_edge.reference import reference_checkpoint
from trm_edge.targets.puzzle_sources import calibration_puzzles, held_out_puzzles
from trm_edge.tasks import task_for

HEAD = """\
| | fixed | drop, 95 % | lost / gained | adaptive | drop, 95 % | lost / gained | same step \
| carry cosine, first / last step | kB |
|---|---|---|---|---|---|---|---|---|---|"""


class Bench:
    """A reference model and its float32 answers.

    Args:
        name: task of the reference model.
        puzzles: number of held-out puzzles.
        folder: for graphs.
        track: reports progress.
        threads: CPU threads; 0: every core.
    """

    def __init__(self, name: str, puzzles: int, folder: Path, track: Track, threads: int) -> None:
        checkpoint = load_checkpoint(reference_checkpoint(name))
        model = checkpoint.model
        self.config = checkpoint.config
        task = task_for(self.config)
        self.held_out = held_out_puzzles(task, None, puzzles)
        source = calibration_puzzles(task, None, None, self.held_out, INT8.puzzles)
        self.name = name
        self.track = track
        self.threads = threads
        self.subject = Subject(model, checkpoint.puzzle_embeddings, source.puzzles, folder, track)
        self.reference, self.size = self.answers(step_graph(model), "float32", puzzles)
        self._measured: dict[str, tuple[ParityVectors, int]] = {}  # answers and size by row

    def answers(self, graph: onnx.ModelProto, label: str, count: int) -> tuple[ParityVectors, int]:
        """Solve the first held-out puzzles with a graph.

        Args:
            graph: a step graph.
            label: description of the progress.
            count: number of puzzles.

        Returns:
            Its answers, and the size of its file in bytes.
        """
        path = self.subject.folder / "step.onnx"
        size = len(graph.SerializeToString())
        onnx.save(fp8_in_float32(graph), path)
        entries = self.held_out.entries[:count]
        vectors = record_vectors(
            OnnxRuntimeBackend(path, self.config, threads=self.threads, trusted=True),
            self.subject.table,
            [entry.puzzle for entry in entries],
            labels_of(entries, self.config),
            track=self.track,
            description=f"{self.name}: {label}",
        )
        return vectors, size

    def _answers_of(self, label: str, row: Row, count: int) -> tuple[ParityVectors, int]:
        """Solve with a row, unless the same row has solved these puzzles before."""
        label = SAME_AS.get(label, label)
        if label not in self._measured or len(self._measured[label][0].tokens) < count:
            self._measured[label] = self.answers(row(self.subject), label, count)
        vectors, size = self._measured[label]
        return vectors.first(count), size

    def table(self, rows: dict[str, Row], count: int, results: dict[str, object]) -> str:
        """Measure rows and format them as Markdown.

        Args:
            rows: quantized graphs by label.
            count: number of puzzles.
            results: receives the full report of each row.
        """
        reference = self.reference.first(count)
        unchanged = compare(reference, reference)
        lines = [HEAD, _line("float32", unchanged, self.size)]
        for label, row in rows.items():
            start = time.monotonic()
            candidate, size = self._answers_of(label, row, count)
            report = compare(reference, candidate)
            lines.append(_line(label, report, size))
            results[f"{self.name}, {count} puzzles: {label}"] = report.to_dict() | {"bytes": size}
            click.echo(f"{lines[-1]}  {time.monotonic() - start:.0f} s", err=True)
        return "\n".join(lines)


def _line(label: str, report: ParityReport, size: int) -> str:
    if report.halting.q_halt_difference == 0:
        cells = [f"{100 * mode.exact_reference:.1f} | | " for mode in report.modes]
        return f"| {label} | {' | '.join(cells)} | | | {size / 1e3:.0f} |"
    cosines = report.carry.by_step
    cells = [_mode(mode) for mode in report.modes]
    return (
        f"| {re.sub(r' [(].*[)]$', '', label)} | {' | '.join(cells)} | "
        f"{100 * report.halting.agreement:.1f} % | {cosines[0]:.4f} / {cosines[-1]:.4f} | "
        f"{size / 1e3:.0f} |"
    )


def _mode(mode: ModeParity) -> str:
    low, high = mode.interval_drop
    return (
        f"{100 * mode.exact_candidate:.1f} | {mode.drop:+.2f} ({low:+.2f} … {high:+.2f}) | "
        f"{mode.lost} / {mode.gained}"
    )


@click.command(help=__doc__)
@click.option("--puzzles", type=click.IntRange(1, 2000), default=2000, show_default=True)
@click.option("--ablation-puzzles", type=click.IntRange(1, 2000), default=128, show_default=True)
@click.option(
    "--model", "models", multiple=True, type=click.Choice(GRID_MODELS), help="Repeatable."
)
@click.option("--only", multiple=True, type=click.Choice(list(ABLATIONS)), help="Ablation rows.")
@click.option("--no-ablation", is_flag=True, help="The defaults alone; other tables stay.")
@click.option("--threads", type=ThreadCount(), default=0, help="0: as many as cores.")
@click.option("--update", "document", type=click.Path(path_type=Path, exists=True))
@click.option("--json", "output", type=click.Path(path_type=Path), help="Reports; others stay.")
def main(
    puzzles: int,
    ablation_puzzles: int,
    models: tuple[str, ...],
    only: tuple[str, ...],
    no_ablation: bool,
    threads: int,
    document: Path | None,
    output: Path | None,
) -> None:
    if threads:
        torch.set_num_threads(threads)
    start = time.monotonic()
    tables: dict[str, str] = {}
    results: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder, progress_bars() as track:
        for name in models or GRID_MODELS:
            bench = Bench(name, max(puzzles, ablation_puzzles), Path(folder), track, threads)
            tables[f"{name} accuracy"] = bench.table(DEFAULTS, puzzles, results)
            if no_ablation:
                continue
            rows = {}
            for label, row in ABLATIONS_OF[name].items():
                if not only or label in only:
                    rows[label] = row
            tables[f"{name} ablation"] = bench.table(rows, ablation_puzzles, results)
    for name, table in tables.items():
        click.echo(f"\n{name}\n\n{table}")
    if document:
        update_tables(document, tables)
    if output:
        if output.exists():  # rows that were not measured now stay
            results = json.loads(output.read_text(encoding="utf-8")) | results
        write_text(output, json.dumps(results, indent=1) + "\n")
    click.echo(f"{(time.monotonic() - start) / 60:.1f} minutes", err=True)


if __name__ == "__main__":
    main()
