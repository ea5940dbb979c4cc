"""Profile a CPU step by operator with ONNX Runtime's own profiler.

    python benchmarks/profile_step.py

Prints Markdown: the share of each operator in a published size's step, in float32 and INT8.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lib.extras import require_bench_extra

require_bench_extra("torch", "onnx", "modelopt")

import click
import onnx
import onnxruntime as ort
import torch
from lib.published_sizes import SIZES, random_model
from lib.step_runners import StepArguments, int8_graph_inputs
from numpy.typing import NDArray

from trm_edge.cli.options import ThreadCount
from trm_edge.step import step_inputs
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.target_graphs import GraphInputs, target_graph

MIN_SHARE = 0.01  # of the time; operators below it are summed up


@click.command(help=__doc__)
@click.option("--model", "name", type=click.Choice(list(SIZES)), default=next(iter(SIZES)))
@click.option("--slots", default=1, show_default=True)
@click.option("--runs", default=20, show_default=True)
@click.option("--threads", type=ThreadCount(), default=2, show_default=True)
def main(name: str, slots: int, runs: int, threads: int) -> None:
    torch.set_num_threads(threads)
    model = random_model(name)
    arguments = StepArguments(model, max(2, slots))
    names = [spec.name for spec in step_inputs(model.config)]
    arrays = arguments.first(slots)
    if not model.config.puzzle_emb_ndim:
        arrays = (arrays[0], *arrays[2:])
    feeds = dict(zip(names, arrays, strict=True))
    graphs = {
        "float32": GraphInputs(model, "fp32", None, {}),
        "INT8": int8_graph_inputs(model, arguments),
    }
    for precision, inputs in graphs.items():
        shares = _operator_shares(target_graph(inputs, load_profile("cpu")), feeds, runs, threads)
        click.echo(f"\n{name}, {slots} slots, {precision}\n\n| operator | % |\n|---|---|")
        others = 0.0
        for operator, share in sorted(shares.items(), key=lambda item: -item[1]):
            if share < MIN_SHARE:
                others += share
            else:
                click.echo(f"| {operator} | {100 * share:.0f} |")
        click.echo(f"| others | {100 * others:.0f} |")


def _operator_shares(
    graph: onnx.ModelProto, feeds: Mapping[str, NDArray[Any]], runs: int, threads: int
) -> dict[str, float]:
    """Share of the kernels' time by operator."""
    with tempfile.TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = ort.InferenceSession(
            graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        for _ in range(runs):
            session.run(None, feeds)
        events = json.loads(Path(session.end_profiling()).read_text())
    durations: Counter[str] = Counter()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            durations[event["args"]["op_name"]] += event["dur"]
    total = sum(durations.values())
    return {operator: duration / total for operator, duration in durations.items()}


if __name__ == "__main__":
    main()
