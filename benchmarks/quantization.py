"""What each part of the quantizer is worth: one row a recipe, all on the same held-out puzzles.

    python benchmarks/quantization.py --puzzles 512

Every row is the shipped model, calibrated, exported and run by ONNX Runtime, against its own
float32 answers. Prints Markdown.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import click
import onnx

from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.calibration.calibrate import calibrate
from trm_edge.calibration.qdq import quantize_graph
from trm_edge.calibration.recipe import CalibrationRecipe, Precision8
from trm_edge.evaluation.parity import compare
from trm_edge.evaluation.vectors import labels_of, record_vectors
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.export.step_graph import step_graph
from trm_edge.progress import progress_bars
from trm_edge.reference import reference_checkpoint
from trm_edge.targets.puzzle_sources import calibration_puzzles, held_out_puzzles
from trm_edge.tasks import task_for

INT8, FP8 = CalibrationRecipe.default("int8"), CalibrationRecipe.default("fp8")
STATIC = replace(INT8, per_token=False)
RECIPES: dict[str, tuple[Precision8, CalibrationRecipe]] = {
    "INT8, the default": ("int8", INT8),
    "- plain rounding of weights": ("int8", replace(INT8, compensated_rounding=False)),
    "- no equalisation": ("int8", replace(INT8, equalisation=(0.0,))),
    "- one range a layer": ("int8", STATIC),
    "- one range a layer, power 1, plain rounding": (
        "int8",
        replace(STATIC, equalisation=(1.0,), compensated_rounding=False),
    ),
    "- one range a layer, no equalisation, plain rounding": (
        "int8",
        replace(STATIC, equalisation=(0.0,), compensated_rounding=False),
    ),
    "FP8, the default": ("fp8", FP8),
    "- per token": ("fp8", replace(FP8, per_token=True)),
}


@click.command(help=__doc__)
@click.option("--puzzles", type=click.IntRange(1, 2000), default=512, show_default=True)
@click.option("--only", multiple=True, type=click.Choice(list(RECIPES)), help="Rows; repeatable.")
def main(puzzles: int, only: tuple[str, ...]) -> None:
    checkpoint = load_checkpoint(reference_checkpoint())
    model, table, config = checkpoint.model, checkpoint.puzzle_embeddings, checkpoint.config
    task = task_for(config)
    held_out = held_out_puzzles(task, None, puzzles)
    labels = labels_of(held_out.entries, config.seq_len)
    calibration = calibration_puzzles(task, None, None, held_out, INT8.puzzles).puzzles
    click.echo(f"{checkpoint.path.name}, {puzzles} held-out puzzles, exact match in %\n")
    click.echo(
        "| recipe | fixed | lost / gained | adaptive | lost / gained | same halting step "
        "| kB |\n|---|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder, progress_bars() as track:
        path = Path(folder) / "step.onnx"

        def answers(graph: onnx.ModelProto, what: str):  # type: ignore[no-untyped-def]
            onnx.save(graph, path)
            backend = OnnxRuntimeBackend(path, config)
            return record_vectors(backend, table, held_out.puzzles, labels, track=track, what=what)

        reference = answers(step_graph(model), "float32")
        report = compare(reference, reference)
        fixed, adaptive = report.modes
        click.echo(
            f"| float32 | {100 * fixed.exact_reference:.1f} | | "
            f"{100 * adaptive.exact_reference:.1f} | | | {path.stat().st_size / 1e3:.0f} |"
        )
        for name in only or RECIPES:
            precision, recipe = RECIPES[name]
            ready = calibrate(model, table, calibration, precision, recipe, track)
            graph = quantize_graph(step_graph(ready.model), ready.layers, precision)
            report = compare(reference, answers(graph, name))
            fixed, adaptive = report.modes
            click.echo(
                f"| {name} | {100 * fixed.exact_candidate:.1f} | {fixed.lost} / {fixed.gained} | "
                f"{100 * adaptive.exact_candidate:.1f} | {adaptive.lost} / {adaptive.gained} | "
                f"{100 * report.halting_agreement:.1f} % | {path.stat().st_size / 1e3:.0f} |"
            )


if __name__ == "__main__":
    main()
