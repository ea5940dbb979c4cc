"""Compare forms of quantized step graphs for GPUs: what each keeps, and what it compiles to.

    python benchmarks/gpu_forms.py --output benchmarks/results --update docs/quantization.md

Accuracy is simulated in float32 on the CPU, against the model's own float32 answers. The first row
of each table is the floor: float32 itself, with carries rounded to bfloat16 after every step.
TensorRT-RTX compiles each form where it is installed (extra ``rtx``). Writes gpu_forms.json and
gpu_forms.md after every row; rows of an earlier run are kept unless --again is given.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lib.extras import require_bench_extra
from lib.references import GRID_MODELS

require_bench_extra("torch", "onnx", "modelopt")

import click
import onnx
import torch
from lib.compiled_form import can_compile, compile_form
from lib.document_tables import update_tables
from lib.gpu_forms import CalibratedForms, Form, forms_of, refitted

from trm_edge.backends.bfloat16_carry import Bfloat16CarryBackend
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.calibration.fp8_arithmetic import fp8_in_float32
from trm_edge.calibration.qdq import quantize_graph
from trm_edge.cli.options import ThreadCount
from trm_edge.evaluation.parity import compare
from trm_edge.evaluation.recording import labels_of, record_vectors
from trm_edge.evaluation.statistics import wilson_interval
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.export.onnxruntime_graph import onnxruntime_step_graph
from trm_edge.export.step_graph import step_graph
from trm_edge.files import check_writable, write_text
from trm_edge.progress import Track, progress_bars
from trm_edge.reference import reference_checkpoint
from trm_edge.targets.puzzle_sources import calibration_puzzles, held_out_puzzles
from trm_edge.tasks import task_for
from trm_edge.tasks.base import Entry

FLOOR = "float32, carries in bfloat16"
REFIT_PUZZLES = 64  # calibration puzzles that the halting logit is fitted on
_COMPILED_FOR = "8.9"  # the compute capability of the table; all are in the JSON
_HEAD = """\
| | fixed, lost / gained | drop, 95 % | adaptive, lost / gained | drop, 95 % | same step, 95 % \
| cosine, first / last step | graph, kB | layers | quantized products | engine, MB |
|---|---|---|---|---|---|---|---|---|---|---|"""


class Bench:
    """A bundled model, its float32 answers and its calibrations.

    Args:
        name: task of the model.
        puzzles: number of held-out puzzles.
        folder: for graphs.
        track: reports progress.
        threads: CPU threads; 0 for every core.
    """

    def __init__(self, name: str, puzzles: int, folder: Path, track: Track, threads: int) -> None:
        checkpoint = load_checkpoint(reference_checkpoint(name))
        self.name = name
        self.model = checkpoint.model
        self.config = checkpoint.config
        self.table = checkpoint.puzzle_embeddings
        self.folder = folder
        self.track = track
        self.threads = threads
        task = task_for(self.config)
        held_out = held_out_puzzles(task, None, puzzles)
        self.entries = held_out.entries
        self.fit_entries = calibration_puzzles(task, None, None, held_out, REFIT_PUZZLES).entries
        calibration = [entry.puzzle for entry in self.fit_entries]
        self.forms = CalibratedForms(self.model, self.table, calibration, track)
        self._reference: dict[int, ParityVectors] = {}  # float32 answers by number of puzzles

    def answers(
        self,
        graph: onnx.ModelProto,
        label: str,
        entries: list[Entry],
        backend: type[OnnxRuntimeBackend] = OnnxRuntimeBackend,
    ) -> ParityVectors:
        """Solve puzzles with a graph.

        Args:
            graph: a step graph with a float32 carry.
            label: description of the progress.
            entries: the puzzles.
            backend: class of the engine.
        """
        path = self.folder / "step.onnx"
        onnx.save(fp8_in_float32(graph), path)
        return record_vectors(
            backend(path, self.config, threads=self.threads, trusted=True),
            self.table,
            [entry.puzzle for entry in entries],
            labels_of(entries, self.config),
            track=self.track,
            description=f"{self.name}: {label}",
        )

    def reference(self, entries: list[Entry]) -> ParityVectors:
        """The float32 answers to puzzles, computed once.

        Args:
            entries: the puzzles.
        """
        key = id(entries)
        if key not in self._reference:
            graph = onnxruntime_step_graph(self.model)
            self._reference[key] = self.answers(graph, "float32", entries)
        return self._reference[key]

    def floor(self) -> dict[str, Any]:
        """Measure what rounding the carries to bfloat16 changes."""
        graph = onnxruntime_step_graph(self.model)
        candidate = self.answers(graph, FLOOR, self.entries, Bfloat16CarryBackend)
        return {"report": self._report(candidate)}

    def measure(self, form: Form) -> dict[str, Any]:
        """Measure a form, and compile it.

        Args:
            form: the form.
        """
        layers = self.forms.layers(form)
        model = self.forms.calibration(form).model
        graph = quantize_graph(onnxruntime_step_graph(model), layers, form.qtype)
        if form.refit:
            float32_answers = self.reference(self.fit_entries)
            quantized = self.answers(graph, "halting logit", self.fit_entries)
            model = refitted(
                model, (float32_answers.q_halt, float32_answers.halting_steps), quantized.q_halt
            )
            graph = quantize_graph(onnxruntime_step_graph(model), layers, form.qtype)
        candidate = self.answers(graph, form.label, self.entries)
        row: dict[str, Any] = {
            "report": self._report(candidate),
            "form": asdict(form),
        }
        for_gpu = quantize_graph(step_graph(model, "float16"), layers, form.qtype)
        row["graph_bytes"] = len(for_gpu.SerializeToString())
        row["nodes"] = len(for_gpu.graph.node)
        if form.refit:
            row["shift"] = float(model.q_head.bias[0] - self.model.q_head.bias[0])
        if can_compile():
            row["compiled"] = compile_form(for_gpu, self.config, form.qtype, self.folder)
        return row

    def _report(self, candidate: ParityVectors) -> dict[str, Any]:
        report = compare(self.reference(self.entries), candidate)
        return report.to_dict() | {"cosines": report.carry.by_step}


def _page(results: dict[str, Any]) -> str:
    """The tables of all models."""
    lines = ["# Forms of quantized step graphs for GPUs\n", "`python benchmarks/gpu_forms.py`\n"]
    for name, table in _tables(results).items():
        lines += [f"{name}\n", f"{table}\n"]
    return "\n".join(lines)


def _tables(results: dict[str, Any]) -> dict[str, str]:
    """Markdown by name: one table for each model and type."""
    tables: dict[str, list[str]] = {}
    for key, row in results.items():
        model, _, label = key.partition(": ")
        label, _, _ = label.partition(" (")
        if "form" not in row:
            for qtype in ("int8", "fp8"):
                lines = tables.setdefault(f"{model} {qtype} forms", [_HEAD])
                lines.insert(1, _line(label, row))
            continue
        table = f"{model} {row['form']['qtype']} forms"
        tables.setdefault(table, [_HEAD]).append(_line(label, row))
    return {name: "\n".join(lines) for name, lines in tables.items()}


def _line(label: str, row: dict[str, Any]) -> str:
    report = row["report"]
    cosines = report["cosines"]
    agreement = report["halting"]["agreement"]
    low, high = wilson_interval(round(agreement * report["puzzles"]), report["puzzles"])
    cells = [
        f"{label}, {report['puzzles']} puzzles",
        *_mode(report["fixed"]),
        *_mode(report["adaptive"]),
        f"{100 * agreement:.1f} % ({100 * low:.1f} … {100 * high:.1f})",
        f"{cosines[0]:.4f} / {cosines[-1]:.4f}",
    ]
    if "graph_bytes" in row:
        cells.append(f"{row['graph_bytes'] / 1e3:.0f}")
    compiled = row.get("compiled", {}).get(_COMPILED_FOR)
    if compiled:
        total = compiled["quantized"] + compiled["float"]
        cells += [
            str(compiled["layers"]),
            f"{compiled['quantized']} of {total}",
            f"{compiled['engine_bytes'] / 1e6:.1f}",
        ]
    cells += [""] * (_HEAD.splitlines()[0].count("|") - 1 - len(cells))
    return f"| {' | '.join(cells)} |"


def _mode(mode: dict[str, Any]) -> list[str]:
    low, high = mode["interval_drop"]
    drop = f"{mode['drop']:+.2f} ({low:+.2f} … {high:+.2f})"
    return [f"{mode['lost']} / {mode['gained']}", drop]


@click.command(help=__doc__)
@click.option("--puzzles", type=click.IntRange(1, 2000), default=512, show_default=True)
@click.option(
    "--model", "models", multiple=True, type=click.Choice(GRID_MODELS), help="Repeatable."
)
@click.option("--only", multiple=True, help="Labels of rows to measure. Repeatable.")
@click.option("--threads", type=ThreadCount(), default=0, help="0: as many as cores.")
@click.option("--again", is_flag=True, help="Measure rows of an earlier run again.")
@click.option("--update", "document", type=click.Path(path_type=Path, exists=True))
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder.")
def main(
    puzzles: int,
    models: tuple[str, ...],
    only: tuple[str, ...],
    threads: int,
    again: bool,
    document: Path | None,
    output: Path,
) -> None:
    path = output / "gpu_forms.json"
    check_writable(path)
    if threads:
        torch.set_num_threads(threads)
    results: dict[str, Any] = {}
    if path.exists():
        results = json.loads(path.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder, progress_bars() as track:
        for name in models or GRID_MODELS:
            bench = Bench(name, puzzles, Path(folder), track, threads)
            rows: dict[str, Form | None] = {FLOOR: None}
            for form in forms_of(bench.model):
                rows[f"{form.qtype}: {form.label}"] = form
            for label, row in rows.items():
                key = f"{name}: {label} ({puzzles})"
                if (only and label not in only) or (key in results and not again):
                    continue
                results[key] = bench.floor() if row is None else bench.measure(row)
                write_text(path, json.dumps(results, indent=1) + "\n")
                click.echo(_line(label, results[key]), err=True)
    page = _page(results)
    write_text(output / "gpu_forms.md", page)
    click.echo(page)
    if document:
        update_tables(document, _tables(results))


if __name__ == "__main__":
    main()
