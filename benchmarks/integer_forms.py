"""Time the forms of INT8 weights whose products are exact on CPUs without VNNI.

    python benchmarks/integer_forms.py --output benchmarks/results --update docs/quantization.md

One step of the published Sudoku MLP with random weights, in each form and in float32, side by side.
The figures of other instruction sets stay in integer_forms.json; run it on a machine of each.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from lib.extras import require_bench_extra

require_bench_extra("torch", "onnx", "modelopt")

import click
import numpy as np
import onnx
from lib.document_tables import update_tables
from lib.instruction_sets import instruction_set
from lib.integer_forms import with_seven_bits, with_unsigned_weights
from lib.machine_line import machine_line
from lib.published_sizes import SIZES, random_model
from lib.step_runners import StepArguments, int8_graph_inputs

from trm_edge.backends.integer_kernels import kernels_are_exact
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.cli.options import ThreadCount
from trm_edge.evaluation.machine import Machine
from trm_edge.evaluation.timing import Ratio, interleaved, ratio
from trm_edge.files import check_writable, write_text
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.target_graphs import GraphInputs, target_graph

FLOAT32 = "float32"
SCALED = "scaled"  # what an export writes
SEVEN_BITS = "seven bits"
UNSIGNED = "unsigned"


@click.command(help=__doc__)
@click.option("--size", type=click.Choice(list(SIZES)), default="Sudoku MLP", show_default=True)
@click.option("--batch", "batches", multiple=True, type=int, default=(1, 8, 32), help="Slots.")
@click.option("--threads", type=ThreadCount(), default=2, show_default=True)
@click.option("--rounds", default=11, show_default=True)
@click.option("--seconds", default=1.0, show_default=True, help="Length of one turn.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder.")
@click.option("--update", "document", type=click.Path(path_type=Path, exists=True))
def main(
    size: str,
    batches: tuple[int, ...],
    threads: int,
    rounds: int,
    seconds: float,
    output: Path,
    document: Path | None,
) -> None:
    results = output / "integer_forms.json"
    check_writable(results)
    report = json.loads(results.read_text(encoding="utf-8")) if results.exists() else {}
    machine = machine_line(threads)
    model = random_model(size)
    arguments = StepArguments(model, max(batches))
    graphs = _graphs(int8_graph_inputs(model, arguments))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        backends = {}
        for name, graph in graphs.items():
            path = folder / f"{name}.onnx"
            onnx.save(graph, path)
            # Weights with zero points are in no graph of an export.
            backend = OnnxRuntimeBackend(path, model.config, threads=threads, trusted=True)
            backend.activate()
            stack.callback(backend.deactivate)
            backends[name] = backend
        rows = [_measure(backends, arguments, slots, rounds, seconds) for slots in batches]
    report[instruction_set(Machine.current())] = {
        "size": size,
        "machine": machine,
        "exact at the largest values": kernels_are_exact(),
        "rows": rows,
    }
    write_text(results, json.dumps(report, indent=1) + "\n")
    content = _page(report)
    write_text(output / "integer_forms.md", content)
    click.echo(content)
    if document:
        update_tables(document, {"integer forms": _table(report)})


def _graphs(int8: GraphInputs) -> dict[str, onnx.ModelProto]:
    profile = load_profile("cpu")
    scaled = target_graph(int8, profile)
    return {
        FLOAT32: target_graph(GraphInputs(int8.model, "fp32", None, {}), profile),
        SCALED: scaled,
        SEVEN_BITS: with_seven_bits(scaled),
        UNSIGNED: with_unsigned_weights(scaled),
    }


def _measure(
    backends: dict[str, OnnxRuntimeBackend],
    arguments: StepArguments,
    slots: int,
    rounds: int,
    seconds: float,
) -> dict[str, Any]:
    tokens, embeddings, reset, *carry = arguments.first(slots)
    runs = {}
    for name, backend in backends.items():
        runs[name] = partial(backend.run, tokens, embeddings, reset, carry)
    times = interleaved(runs, rounds, seconds)
    carries = [runs[name]().carry for name in (SCALED, UNSIGNED)]
    return {
        "slots": slots,
        "same carries": all(map(np.array_equal, *carries)),
        "float32": asdict(ratio(times[FLOAT32], times[SCALED])),
        **{name: asdict(ratio(times[name], times[SCALED])) for name in (SEVEN_BITS, UNSIGNED)},
    }


def _page(report: dict[str, Any]) -> str:
    lines = ["# Forms of INT8 weights, timed", "", "`python benchmarks/integer_forms.py`", ""]
    for name, machine in report.items():
        lines.append(f"- {name}: {machine['size']}, {machine['machine']}")
    return "\n".join([*lines, "", _table(report), ""])


def _table(report: dict[str, Any]) -> str:
    lines = [
        "| | kernels exact at the largest values | slots | float32 | 7 bits "
        "| UINT8, zero point 128 | carries as with UINT8 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, machine in report.items():
        for row in machine["rows"]:
            cells = [
                name,
                "yes" if machine["exact at the largest values"] else "no",
                str(row["slots"]),
                *(str(Ratio(**row[form])) for form in (FLOAT32, SEVEN_BITS, UNSIGNED)),
                "identical" if row["same carries"] else "different",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
