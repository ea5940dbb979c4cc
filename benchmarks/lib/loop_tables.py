"""Tables of loop.json: the page, and the tables of the documentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Report = Mapping[str, Any]
_FIRST_MODEL = "sudoku"  # of pages whose JSON names no model


def page(report: Report, slots: int) -> str:
    """Format the whole report.

    Args:
        report: content of the JSON file.
        slots: of the batch.
    """
    model = report.get("model", _FIRST_MODEL)
    command = "python benchmarks/loop.py"
    title = "The loop"
    if model != _FIRST_MODEL:
        command = f"{command} --model {model}"
        title = f"The loop of {model}"
    if any(name.startswith("PyTorch float32") for name in report["throughput"]):
        command = f"{command} --pytorch float32"
    outside = 100 * report["overhead"]["share of the time outside the steps"]
    parts = [
        f"# {title}\n\n`{command}`. Machine: {report['machine']}.\n",
        _throughput(report, slots),
        f"\n{_latency(report)}",
        f"\nAt {slots} slots, {outside:.2f} % of the time is spent outside the steps.\n",
        _streams(report),
    ]
    return "\n".join(parts) + "\n"


def document_tables(report: Report, slots: int) -> dict[str, str]:
    """Format the tables of docs/speed.md, by the names of their places.

    Args:
        report: content of the JSON file.
        slots: of the batch.
    """
    model = report.get("model", _FIRST_MODEL)
    return {
        f"{model} throughput": _throughput(report, slots),
        f"{model} latency": _latency(report),
        f"{model} streams": _streams(report),
    }


def _throughput(report: Report, slots: int) -> str:
    lines = [
        f"| {slots} slots | exact, % | puzzles per second | times PyTorch, fixed |\n"
        "|---|---|---|---|"
    ]
    for name, row in report["throughput"].items():
        exact = f"{100 * row['exact']:.1f}"
        rate = f"{row['puzzles per second']:.1f}"
        lines.append(f"| {name} | {exact} | {rate} | {_speedup(row)} |")
    return "\n".join(lines)


def _latency(report: Report) -> str:
    lines = ["| one puzzle at a time | ms | times PyTorch, fixed |\n|---|---|---|"]
    for name, row in report["latency"].items():
        lines.append(f"| {name} | {row['ms per puzzle']:.1f} | {_speedup(row)} |")
    return "\n".join(lines)


def _streams(report: Report) -> str:
    lines = [
        "| puzzles | seconds | ms per puzzle | occupancy, % | growth of peak memory, MB |\n"
        "|---|---|---|---|---|"
    ]
    for row in report["growth"]:
        cells = [
            str(row["puzzles"]),
            f"{row['seconds']:.1f}",
            f"{row['ms per puzzle']:.2f}",
            f"{100 * row['occupancy']:.1f}",
            f"{row['growth of peak memory, MB']:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _speedup(row: Mapping[str, Any]) -> str:
    speedup = row["against PyTorch, fixed"]
    return f"{speedup['median']:.1f} ({speedup['low']:.1f} - {speedup['high']:.1f})"
