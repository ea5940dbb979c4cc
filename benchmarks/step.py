"""Time one step on a CPU: trm-edge, PyTorch as published, ONNX Runtime's own tools.

    python benchmarks/step.py --output benchmarks/results

The published sizes with random weights, timed side by side. Writes step.json and step.md. On a
shared machine read the ratios. The 900 positions at 8 and 32 slots are timed on two of the step's
fifteen passes.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from lib.extras import require_bench_extra

require_bench_extra("torch", "onnx", "modelopt", "onnxscript")

import click
import numpy as np
import torch
from lib.machine_line import machine_line
from lib.published_sizes import SIZES, random_model
from lib.roofline import operations, peaks
from lib.step_runners import (
    EAGER,
    FLOAT32,
    INT8,
    NAIVE,
    Step,
    StepArguments,
    naive_steps,
    pytorch_steps,
    trm_edge_steps,
)
from numpy.typing import NDArray

from trm_edge.cli.options import ThreadCount
from trm_edge.evaluation.timing import Ratio, interleaved, ratio
from trm_edge.export.model import RecursiveModel
from trm_edge.files import check_writable, write_text

EAGER_FLOAT32 = "PyTorch float32, eager"
# How many times as fast the first has to be as the second.
BUDGETS = ((INT8, FLOAT32, 2.5), (INT8, EAGER, 3.0), (FLOAT32, NAIVE, 1.5))
LONG = 500  # positions from which a step of many slots takes a minute


@click.command(help=__doc__)
@click.option("--only", multiple=True, type=click.Choice(list(SIZES)), help="Sizes; repeatable.")
@click.option("--batch", "batches", multiple=True, type=int, default=(1, 8, 32), help="Slots.")
@click.option("--threads", type=ThreadCount(), default=2, show_default=True)
@click.option("--rounds", default=5, show_default=True)
@click.option("--seconds", default=0.5, show_default=True, help="Length of one turn.")
@click.option("--compiled/--not-compiled", default=True, help="With torch.compile.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder.")
def main(
    only: tuple[str, ...],
    batches: tuple[int, ...],
    threads: int,
    rounds: int,
    seconds: float,
    compiled: bool,
    output: Path,
) -> None:
    results = output / "step.json"
    check_writable(results)
    torch.set_num_threads(threads)
    report: dict[str, Any] = {"machine": machine_line(threads), "rows": []}
    for name in only or SIZES:
        for model, label, batch_sizes in _models(name, batches):
            with tempfile.TemporaryDirectory() as folder:
                arguments = StepArguments(model, max(2, *batch_sizes))
                steps = _steps(model, arguments, Path(folder), threads, compiled)
                for slots in batch_sizes:
                    row = _measure(label, model, steps, slots, rounds, seconds, threads)
                    report["rows"].append(row)
                    click.echo(_table([row]))
                    write_text(results, json.dumps(report, indent=1) + "\n")
    write_text(output / "step.md", _page(report))


def _models(name: str, batches: tuple[int, ...]) -> Iterator[tuple[RecursiveModel, str, list[int]]]:
    """The model; for a long sequence and more than one slot, the same model with two passes."""
    model = random_model(name)
    if model.config.seq_len < LONG:
        yield model, name, list(batches)
        return
    if 1 in batches:
        yield model, name, [1]
    larger = [slots for slots in batches if slots > 1]
    if larger:
        short = RecursiveModel(replace(model.config, H_cycles=1, L_cycles=1))
        short.load_state_dict(model.state_dict())
        yield short.requires_grad_(False).eval(), f"{name}, 2 of 15 passes", larger


def _steps(
    model: RecursiveModel, arguments: StepArguments, folder: Path, threads: int, compiled: bool
) -> dict[str, Step]:
    return {
        **dict(trm_edge_steps(model, arguments, folder, threads)),
        **dict(pytorch_steps(model, arguments, compiled=compiled)),
        **dict(naive_steps(model, arguments, folder, threads)),
    }


def _measure(
    label: str,
    model: RecursiveModel,
    steps: dict[str, Step],
    slots: int,
    rounds: int,
    seconds: float,
    threads: int,
) -> dict[str, Any]:
    runs = {name: partial(step, slots) for name, step in steps.items()}
    times = interleaved(runs, rounds, seconds)
    peak = peaks(threads)
    products, attention = operations(model.config)
    floors = {
        INT8: slots * (products / peak["int8"] + attention / peak["float32"]),
        FLOAT32: slots * (products + attention) / peak["float32"],
    }
    runners = {}
    for name, values in times.items():
        runners[name] = {
            "seconds": float(np.median(values)),
            "against float32": asdict(ratio(times[FLOAT32], values)),
            "against eager bfloat16": asdict(ratio(times[EAGER], values)),
            "share of the roof": _share_of_roof(floors.get(name), values),
        }
    budgets = []
    for name, baseline, budget in BUDGETS:
        speedup = asdict(ratio(times[baseline], times[name]))
        budgets.append({"of": name, "against": baseline, "budget": budget, **speedup})
    return {
        "model": label,
        "slots": slots,
        "operations": slots * (products + attention),
        "peak": peak,
        "runners": runners,
        "budgets": budgets,
    }


def _share_of_roof(floor: float | None, times: NDArray[np.float64]) -> float | None:
    if floor is None:
        return None
    return float(floor / np.median(times))


def _table(rows: list[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        lines.append(f"\n**{row['model']}**, {row['slots']} slots\n")
        lines.append("| | ms a slot | times float32 | times eager bfloat16 | share of the roof |")
        lines.append("|---|---|---|---|---|")
        for name, result in row["runners"].items():
            cells = [
                f"{1e3 * result['seconds'] / row['slots']:.1f}",
                str(Ratio(**result["against float32"])),
                str(Ratio(**result["against eager bfloat16"])),
                _percent(result["share of the roof"]),
            ]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    if share is None:
        return ""
    return f"{100 * share:.0f} %"


def _page(report: dict[str, Any]) -> str:
    head = f"# One step on a CPU\n\n`python benchmarks/step.py`. Machine: {report['machine']}.\n"
    return f"{head}\n{summary(report['rows'])}\n{_table(report['rows'])}\n"


def summary(rows: list[dict[str, Any]]) -> str:
    """Format one line for each model and number of slots, as docs/speed.md shows them.

    Args:
        rows: the rows of step.json.
    """
    lines = [
        "| | slots | INT8 over float32 | over eager bfloat16 | over eager float32 "
        "| float32 over the naive export | share of the roof, INT8 / float32 |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        runners = row["runners"]
        speedups = {}
        for entry in row["budgets"]:
            speedup = Ratio(entry["median"], entry["low"], entry["high"])
            speedups[entry["against"]] = str(speedup)
        over_eager = runners[EAGER_FLOAT32]["seconds"] / runners[INT8]["seconds"]
        int8_roof = _percent(runners[INT8]["share of the roof"])
        float32_roof = _percent(runners[FLOAT32]["share of the roof"])
        cells = [
            row["model"],
            str(row["slots"]),
            speedups[FLOAT32],
            speedups[EAGER],
            f"{over_eager:.1f}",
            speedups[NAIVE],
            f"{int8_roof} / {float32_roof}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
