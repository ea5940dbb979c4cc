"""Time, peak memory and file size of a step graph of the published sizes, with random weights.

    python benchmarks/export.py

Prints Markdown. Each row is a process of its own: emit, check as ONNX, save.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
from lib.published_sizes import SIZES, random_model


@click.command(help=__doc__)
@click.option("--size", type=click.Choice(list(SIZES)), help="Measure one, in this process.")
def main(size: str | None) -> None:
    if size:
        click.echo(measure(size))
        return
    click.echo(
        "| model | parameters | seconds | peak memory | file / weights |\n|---|---|---|---|---|"
    )
    for name in SIZES:
        command = [sys.executable, __file__, "--size", name]
        click.echo(
            subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        )


def measure(name: str) -> str:
    import onnx

    from trm_edge.export.step_graph import step_graph

    model = random_model(name)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "step.onnx"
        onnx.save(step_graph(model), path)
        seconds = time.perf_counter() - began
        size = path.stat().st_size
    parameters = sum(p.numel() for p in model.parameters())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return (
        f"| {name} | {parameters / 1e6:.2f} M | {seconds:.1f} | {peak:.2f} GB | "
        f"{size / (4 * parameters):.3f} |"
    )


if __name__ == "__main__":
    main()
