"""Measure what quantizing each network of a model with two networks costs.

    python benchmarks/networks.py build/train/hrm/checkpoint --update docs/quantization.md

For INT8 and FP8: both networks, each of them alone with the other in float, and both with the
inputs of one network divided by the magnitude of each token. Every row is compared with the model's
own float32 answers to the same held-out puzzles. Prints Markdown; with --update, the table
``networks`` of that file is replaced.
"""

from __future__ import annotations

import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from lib.extras import require_bench_extra

require_bench_extra("torch", "onnx", "modelopt")

import click
from lib.document_tables import update_tables
from lib.quantization_bench import QuantizationBench
from lib.quantization_rows import FP8, INT8, Row, by_network, in_bfloat16

from trm_edge.calibration.recipe import CalibrationRecipe, QType
from trm_edge.cli.options import ThreadCount
from trm_edge.config import ModelConfig
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.files import write_text
from trm_edge.progress import progress_bars

_RECIPES: dict[QType, CalibrationRecipe] = {"int8": INT8, "fp8": FP8}


@click.command(help=__doc__)
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--puzzles", type=click.IntRange(1, 2000), default=512, show_default=True)
@click.option("--threads", type=ThreadCount(), default=0, help="Rows at once. 0: one a core.")
@click.option("--update", "document", type=click.Path(path_type=Path, exists=True))
@click.option("--json", "output", type=click.Path(path_type=Path), help="Full reports.")
def main(
    checkpoint: Path, puzzles: int, threads: int, document: Path | None, output: Path | None
) -> None:
    loaded = load_checkpoint(checkpoint)
    rows = _rows(loaded.config)
    results: dict[str, object] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        progress_bars() as track,
        ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool,
    ):
        bench = QuantizationBench(checkpoint.name, loaded, puzzles, Path(folder), track, pool)
        table = bench.table(rows, puzzles, results)
    click.echo(table)
    if document:
        update_tables(document, {"networks": table})
    if output:
        write_text(output, json.dumps(results, indent=1) + "\n")


def _rows(config: ModelConfig) -> dict[str, Row]:
    """The rows of a model by label.

    Raises:
        ClickException: the model does not have two networks.
    """
    names = _network_names(config)
    if len(names) != 2:
        raise click.ClickException(
            f"two networks are compared here, but a {config.architecture} model has {len(names)}. "
            "Name an HRM checkpoint."
        )
    rows: dict[str, Row] = {"bfloat16": in_bfloat16}
    for qtype, recipe in _RECIPES.items():
        by_token = replace(recipe, activations="per_token")
        rows[f"{qtype.upper()}, both networks"] = by_network(qtype, dict.fromkeys(names, recipe))
        for network, name in names.items():
            rows[f"{qtype.upper()}, {name} alone"] = by_network(qtype, {network: recipe})
        for network, name in names.items():
            recipes = dict.fromkeys(names, recipe) | {network: by_token}
            rows[f"{qtype.upper()}, both, {name} by token"] = by_network(qtype, recipes)
    return rows


def _network_names(config: ModelConfig) -> dict[str, str]:
    """What people call the networks, by their names in the checkpoint: after their states."""
    states: dict[str, str] = {}
    for update in config.recursion.updates(config):
        states.setdefault(update.network, update.state)
    return {network: f"{state}'s network" for network, state in states.items()}


if __name__ == "__main__":
    main()
