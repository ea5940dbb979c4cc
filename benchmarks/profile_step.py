"""Where the time of a CPU step goes, by ONNX Runtime's own profiler.

    python benchmarks/profile_step.py

Prints Markdown: the share of each operator in a published size's step, float32 and INT8.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path

import click
import onnx
import onnxruntime as ort
import torch
from lib.published_sizes import SIZES, random_model
from lib.step_runners import Inputs, int8_graph_inputs

from trm_edge.step import step_inputs
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.target_graphs import GraphInputs, target_graph

_LEAST = 0.01  # of the time: what takes less is added up


@click.command(help=__doc__)
@click.option("--model", "name", type=click.Choice(list(SIZES)), default=next(iter(SIZES)))
@click.option("--slots", default=1, show_default=True)
@click.option("--runs", default=20, show_default=True)
@click.option("--threads", default=2, show_default=True)
def main(name: str, slots: int, runs: int, threads: int) -> None:
    torch.set_num_threads(threads)
    model = random_model(name)
    inputs = Inputs(model, max(2, slots))
    names = [spec.name for spec in step_inputs(model.config)]
    given = inputs.of(slots)
    if not model.config.puzzle_emb_ndim:
        given = (given[0], *given[2:])
    feeds = dict(zip(names, given, strict=True))
    for precision, ready in (
        ("float32", GraphInputs(model, "fp32", None, {})),
        ("INT8", int8_graph_inputs(model, inputs)),
    ):
        graph = target_graph(ready, load_profile("cpu"))
        shares = _shares(graph, feeds, runs, threads)
        rest = sum(share for share in shares.values() if share < _LEAST)
        click.echo(f"\n{name}, {slots} slots, {precision}\n\n| operator | % |\n|---|---|")
        for operator, share in shares.most_common():
            if share >= _LEAST:
                click.echo(f"| {operator} | {100 * share:.0f} |")
        click.echo(f"| others | {100 * rest:.0f} |")


def _shares(
    graph: onnx.ModelProto, feeds: dict[str, object], runs: int, threads: int
) -> Counter[str]:
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
    found: Counter[str] = Counter()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            found[event["args"]["op_name"]] += event["dur"]
    total = sum(found.values())
    return Counter({operator: spent / total for operator, spent in found.items()})  # type: ignore[misc]


if __name__ == "__main__":
    main()
