"""Time, peak memory and file size of a step graph of the published sizes, with random weights.

    python benchmarks/export.py

Prints Markdown. Each row is measured in a new process: build the graph, check it as ONNX, save it.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lib.extras import require_bench_extra

require_bench_extra("torch", "onnx")

import click
import onnx
from lib.published_sizes import SIZES, random_model

from trm_edge.export.step_graph import step_graph


@click.command(help=__doc__)
@click.option("--size", type=click.Choice(list(SIZES)), help="Measure one size in this process.")
def main(size: str | None) -> None:
    if size:
        click.echo(measure(size))
        return
    click.echo(
        "| model | parameters | seconds | peak memory | file / weights |\n|---|---|---|---|---|"
    )
    for name in SIZES:
        command = [sys.executable, __file__, "--size", name]
        result = subprocess.run(command, check=True, capture_output=True, text=True)
        click.echo(result.stdout.strip())


def measure(name: str) -> str:
    """Export a model of a published size and return its row of the table.

    Args:
        name: one of ``SIZES``.
    """
    model = random_model(name)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "step.onnx"
        onnx.save(step_graph(model), path)
        seconds = time.perf_counter() - start
        size = path.stat().st_size
    parameters = sum(parameter.numel() for parameter in model.parameters())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return (
        f"| {name} | {parameters / 1e6:.2f} M | {seconds:.1f} | {peak:.2f} GB | "
        f"{size / (4 * parameters):.3f} |"
    )


if __name__ == "__main__":
    main()
