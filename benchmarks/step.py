"""One step on a CPU, side by side: ours, PyTorch as published, ONNX Runtime's own tools.

    python benchmarks/step.py --output benchmarks/results

The published sizes with random weights. Writes step.json and step.md. On a shared machine read the
ratios. The 900 positions at 8 and 32 slots are timed on two of the step's fifteen passes.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from lib.machine_line import machine_line
from numpy.typing import NDArray
from lib.published_sizes import SIZES, random_model
from lib.roofline import operations, peaks
from lib.step_runners import EAGER, FLOAT32, INT8, NAIVE, Inputs, Step, naive, ours, pytorch

from trm_edge.evaluation.timing import interleaved, ratio
from trm_edge.export.model import TinyRecursiveModel
from trm_edge.files import write_text

EAGER_FLOAT32 = "PyTorch float32, eager"
TARGETS = ((INT8, FLOAT32, 2.5), (INT8, EAGER, 3.0), (FLOAT32, NAIVE, 1.5))


@click.command(help=__doc__)
@click.option("--only", multiple=True, type=click.Choice(list(SIZES)))
@click.option("--batch", "batches", multiple=True, type=int, default=(1, 8, 32))
@click.option("--threads", default=2, show_default=True)
@click.option("--rounds", default=5, show_default=True)
@click.option("--seconds", default=0.5, show_default=True, help="Of one turn.")
@click.option("--compiled/--not-compiled", default=True, help="With torch.compile.")
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(
    only: tuple[str, ...],
    batches: tuple[int, ...],
    threads: int,
    rounds: int,
    seconds: float,
    compiled: bool,
    output: Path,
) -> None:
    torch.set_num_threads(threads)
    report: dict[str, Any] = {"machine": machine_line(threads), "rows": []}
    for name in only or SIZES:
        for model, shown, sizes in _models(name, batches):
            with tempfile.TemporaryDirectory() as folder:
                runners = dict(_runners(model, max(sizes), Path(folder), threads, compiled))
                for slots in sizes:
                    row = _measure(shown, model, runners, slots, rounds, seconds, threads)
                    report["rows"].append(row)
                    click.echo(_table([row]))
                    output.mkdir(parents=True, exist_ok=True)
                    write_text(output / "step.json", json.dumps(report, indent=1) + "\n")
    write_text(output / "step.md", _page(report))


def _models(
    name: str, batches: tuple[int, ...]
) -> Iterator[tuple[TinyRecursiveModel, str, list[int]]]:
    """The model, and where a step of many slots takes a minute, two passes of it."""
    model = random_model(name)
    if model.config.seq_len < 500:
        yield model, name, list(batches)
        return
    if 1 in batches:
        yield model, name, [1]
    short = TinyRecursiveModel(replace(model.config, H_cycles=1, L_cycles=1))
    short.load_state_dict(model.state_dict())
    more = [slots for slots in batches if slots > 1]
    if more:
        yield short.requires_grad_(False).eval(), f"{name}, 2 of 15 passes", more


def _runners(
    model: TinyRecursiveModel, most: int, folder: Path, threads: int, compiled: bool
) -> Iterator[tuple[str, Step]]:
    inputs = Inputs(model, max(2, most))
    yield from ours(model, inputs, folder, threads)
    yield from pytorch(model, inputs, compiled=compiled)
    yield from naive(model, inputs, folder, threads)


def _measure(
    name: str,
    model: TinyRecursiveModel,
    runners: dict[str, Step],
    slots: int,
    rounds: int,
    seconds: float,
    threads: int,
) -> dict[str, Any]:
    times = interleaved(
        {which: lambda run=run: run(slots) for which, run in runners.items()},  # type: ignore[misc]
        rounds,
        seconds,
    )
    reached = peaks(threads)
    products, attention = operations(model.config)
    floor = slots * (products / reached["int8"] + attention / reached["float32"])
    floors = {INT8: floor, FLOAT32: slots * (products + attention) / reached["float32"]}
    return {
        "model": name,
        "slots": slots,
        "operations": slots * (products + attention),
        "peak": reached,
        "runners": {
            which: {
                "seconds": float(np.median(found)),
                "against float32": asdict(ratio(times[FLOAT32], found)),
                "against eager bfloat16": asdict(ratio(times[EAGER], found)),
                "share of the roof": _share(floors.get(which), found),
            }
            for which, found in times.items()
        },
        "targets": [
            {"of": one, "against": other, "asked": asked, **asdict(ratio(times[other], times[one]))}
            for one, other, asked in TARGETS
        ],
    }


def _share(floor: float | None, found: NDArray[np.float64]) -> float | None:
    return None if floor is None else float(floor / np.median(found))


def _table(rows: list[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        lines += [
            f"\n**{row['model']}**, {row['slots']} slots\n",
            "| | ms a slot | times float32 | times eager bfloat16 | share of the roof |",
            "|---|---|---|---|---|",
        ]
        for name, found in row["runners"].items():
            cells = [
                f"{found[key]['median']:.2f} ({found[key]['low']:.2f} - {found[key]['high']:.2f})"
                for key in ("against float32", "against eager bfloat16")
            ]
            share = found["share of the roof"]
            roof = "" if share is None else f"{100 * share:.0f} %"
            each = 1e3 * found["seconds"] / row["slots"]
            lines.append(f"| {name} | {each:.1f} | {cells[0]} | {cells[1]} | {roof} |")
    return "\n".join(lines)


def _page(report: dict[str, Any]) -> str:
    head = f"# One step on a CPU\n\n`python benchmarks/step.py`. Machine: {report['machine']}.\n"
    return f"{head}\n{summary(report['rows'])}\n{_table(report['rows'])}\n"


def summary(rows: list[dict[str, Any]]) -> str:
    """A line for each model and number of slots: what docs/speed.md shows."""
    lines = [
        "| | slots | INT8 over float32 | over eager bfloat16 | over eager float32 "
        "| float32 over the naive export | share of the roof, INT8 / float32 |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        found = row["runners"]
        plain = found[EAGER_FLOAT32]["seconds"] / found[INT8]["seconds"]
        ratios = {one["against"]: one for one in row["targets"]}
        cells = [
            f"{ratios[key]['median']:.2f} ({ratios[key]['low']:.2f} - {ratios[key]['high']:.2f})"
            for key in (FLOAT32, EAGER, NAIVE)
        ]
        roof = " / ".join(
            f"{100 * found[key]['share of the roof']:.0f} %" for key in (INT8, FLOAT32)
        )
        lines.append(
            f"| {row['model']} | {row['slots']} | {cells[0]} | {cells[1]} | {plain:.1f} "
            f"| {cells[2]} | {roof} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
