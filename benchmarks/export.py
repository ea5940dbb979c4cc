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
from dataclasses import replace
from pathlib import Path

import click

from trm_edge.config import ModelConfig

SUDOKU_MLP = ModelConfig(
    hidden_size=512,
    num_heads=8,
    expansion=4.0,
    L_layers=2,
    H_cycles=3,
    L_cycles=6,
    halt_max_steps=16,
    no_ACT_continue=True,
    mlp_t=True,
    pos_encodings="none",
    puzzle_emb_ndim=512,
    puzzle_emb_len=16,
    seq_len=81,
    vocab_size=11,
    num_puzzle_identifiers=1,
    rms_norm_eps=1e-5,
    rope_theta=10000.0,
)
ATTENTION = replace(SUDOKU_MLP, mlp_t=False, pos_encodings="rope")
SIZES = {
    "Sudoku MLP": SUDOKU_MLP,
    "Sudoku attention": ATTENTION,
    "Maze and ARC attention": replace(ATTENTION, L_cycles=4, seq_len=900, vocab_size=12),
}


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
    import torch

    from trm_edge.export.model import TinyRecursiveModel
    from trm_edge.export.step_graph import step_graph

    model = TinyRecursiveModel(SIZES[name]).requires_grad_(False)
    for parameter in model.parameters():
        parameter.copy_(torch.randn(parameter.shape) * 0.02)
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
