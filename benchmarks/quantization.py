"""Measure the accuracy that quantization costs, and the effect of each part of the quantizer.

    python benchmarks/quantization.py --update docs/quantization.md
    python benchmarks/quantization.py --model sudoku-wide --update docs/quantization.md
    python benchmarks/quantization.py --model sudoku --rounding --update docs/quantization.md

Every row is a model, calibrated, exported and run by ONNX Runtime (bfloat16: by PyTorch), compared
with its own float32 answers to the same held-out puzzles. Prints Markdown; with --update, the
tables of that file are replaced, each between its two markers. The model of the published width is
measured where it is named. --rounding measures what rounding the weights alone changes, by their
width, instead of the other tables.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lib.extras import require_bench_extra
from lib.references import GRID_MODELS, MEASURED_MODELS, WIDE, checkpoint_of

require_bench_extra("torch", "onnx", "modelopt")

import click
from lib.document_tables import update_tables
from lib.quantization_bench import QuantizationBench
from lib.quantization_rows import ABLATIONS, ABLATIONS_OF, DEFAULTS_OF, ROUNDING, Row

from trm_edge.cli.options import ThreadCount
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.files import write_text
from trm_edge.progress import progress_bars

# A step of the published width takes about twelve times as long as one of the bundled Sudoku model.
_PUZZLES = {"sudoku": 2000, "maze": 2000, WIDE: 512}


@click.command(help=__doc__)
@click.option("--puzzles", type=click.IntRange(1, 2000), help="2,000, or 512 of sudoku-wide.")
@click.option("--ablation-puzzles", type=click.IntRange(1, 2000), default=128, show_default=True)
@click.option(
    "--model", "models", multiple=True, type=click.Choice(MEASURED_MODELS), help="Repeatable."
)
@click.option("--only", multiple=True, type=click.Choice(list(ABLATIONS)), help="Ablation rows.")
@click.option("--no-ablation", is_flag=True, help="The defaults alone; other tables stay.")
@click.option("--rounding", is_flag=True, help="Weights of other widths alone; other tables stay.")
@click.option("--threads", type=ThreadCount(), default=0, help="Rows at once. 0: one a core.")
@click.option("--update", "document", type=click.Path(path_type=Path, exists=True))
@click.option("--json", "output", type=click.Path(path_type=Path), help="Reports; others stay.")
def main(
    puzzles: int | None,
    ablation_puzzles: int,
    models: tuple[str, ...],
    only: tuple[str, ...],
    no_ablation: bool,
    rounding: bool,
    threads: int,
    document: Path | None,
    output: Path | None,
) -> None:
    start = time.monotonic()
    tables: dict[str, str] = {}
    results: dict[str, object] = {}
    names = models or GRID_MODELS
    checkpoints = {name: load_checkpoint(checkpoint_of(name)) for name in names}
    with (
        tempfile.TemporaryDirectory() as folder,
        progress_bars() as track,
        ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool,
    ):
        plans = []
        for name, checkpoint in checkpoints.items():
            count = puzzles or _PUZZLES[name]
            most = max(count, ablation_puzzles)
            bench = QuantizationBench(name, checkpoint, most, Path(folder), track, pool)
            if rounding:
                plans.append((bench, "rounding", ROUNDING, count))
                continue
            plans.append((bench, "accuracy", DEFAULTS_OF[name], count))
            ablation = _chosen(ABLATIONS_OF[name], only)
            if ablation and not no_ablation:
                plans.append((bench, "ablation", ablation, ablation_puzzles))
        try:
            for bench, _, rows, count in plans:  # all, so that no core waits for a table's end
                bench.start(rows, count)
            for bench, kind, rows, count in plans:
                tables[f"{bench.name} {kind}"] = bench.table(rows, count, results)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    for name, table in tables.items():
        click.echo(f"\n{name}\n\n{table}")
    if document:
        update_tables(document, tables)
    if output:
        if output.exists():  # rows that were not measured now stay
            results = json.loads(output.read_text(encoding="utf-8")) | results
        lines = [f"{json.dumps(label)}: {json.dumps(row)}" for label, row in results.items()]
        write_text(output, "{\n" + ",\n".join(lines) + "\n}\n")
    click.echo(f"{(time.monotonic() - start) / 60:.1f} minutes", err=True)


def _chosen(rows: Mapping[str, Row], labels: Sequence[str]) -> dict[str, Row]:
    """The rows that are named; all of them where none is."""
    return {label: row for label, row in rows.items() if not labels or label in labels}


if __name__ == "__main__":
    main()
