"""Measure a bundle with a million puzzle identifiers: export, opening, lookups, verification.

    python benchmarks/puzzle_table.py --output benchmarks/results

The model is small and has random weights; its table has random rows of the published width, in
float32 and as INT8. Every measurement is a process of its own. Files are in the system's cache.
Writes puzzle_table.json and puzzle_table.md. Needs 5 GB of disk with the default size.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import torch
import yaml
from lib.published_sizes import SIZES
from lib.table_probe import row_name

from trm_edge.evaluation.machine import Machine
from trm_edge.export.arch_settings import published_name
from trm_edge.export.model import RecursiveModel
from trm_edge.files import write_text

_PROBE = Path(__file__).parent / "lib" / "table_probe.py"
_ROW_TYPES = ("float32", "int8")
_ARCH = (
    *("H_cycles", "L_cycles", "H_layers", "L_layers", "hidden_size", "num_heads", "expansion"),
    *("halt_max_steps", "no_ACT_continue", "mlp_t", "pos_encodings", "puzzle_emb_ndim"),
    "puzzle_emb_len",
)


@click.command(help=__doc__)
@click.option("--rows", default=1_000_000, show_default=True, help="Puzzle identifiers.")
@click.option("--width", default=512, show_default=True, help="Numbers in a row.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder.")
def main(rows: int, width: int, output: Path) -> None:
    report: dict[str, Any] = {
        "machine": str(Machine.current()),
        "rows": rows,
        "width": width,
        "packed": _measure("packed", str(rows)),
    }
    with tempfile.TemporaryDirectory() as folder:
        run = _write_run(Path(folder) / "run", rows, width)
        for row_type in _ROW_TYPES:
            bundle = str(Path(folder) / row_type)
            export = _measure("export", str(run), bundle, row_type)
            report[row_type] = {
                "export": export,
                "verify": _measure("verify", bundle),
                **_measure("open", bundle),
            }
    write_text(output / "puzzle_table.json", json.dumps(report, indent=1) + "\n")
    page = _page(report)
    write_text(output / "puzzle_table.md", page)
    click.echo(page)


def _write_run(folder: Path, rows: int, width: int) -> Path:
    """Write a checkpoint with random weights and rows, and the names of the rows."""
    config = replace(
        SIZES["Sudoku attention"],
        hidden_size=64,
        num_heads=2,
        halt_max_steps=4,
        vocab_size=12,
        puzzle_emb_ndim=width,
        puzzle_emb_len=0,
        num_puzzle_identifiers=rows,
    )
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for name, value in RecursiveModel(config).state_dict().items():
        weights[name] = torch.randn(value.shape, generator=generator) * 0.02
    weights["puzzle_emb.weights"] = torch.randn(rows, width, generator=generator)
    folder.mkdir()
    torch.save(weights, folder / "step_1")
    arch = {key: getattr(config, key) for key in _ARCH}
    arch["name"] = published_name(config)
    (folder / "all_config.yaml").write_text(yaml.safe_dump({"arch": arch, "ema": True}))
    metadata = {"seq_len": config.seq_len, "vocab_size": 12, "num_puzzle_identifiers": rows}
    (folder / "dataset.json").write_text(json.dumps(metadata))
    names = [row_name(row) for row in range(rows)]
    (folder / "identifiers.json").write_text(json.dumps(names))
    return folder


def _measure(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, str(_PROBE), *arguments]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    measured: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return measured


def _page(report: dict[str, Any]) -> str:
    lines = [
        "# A large table of puzzle embeddings\n",
        f"{report['rows']:,} rows of {report['width']}. {report['machine']}\n",
        "| | float32 rows | INT8 rows |",
        "|---|---|---|",
    ]
    cells = [_cells(report[row_type]) for row_type in _ROW_TYPES]
    for name, value in cells[0].items():
        lines.append(f"| {name} | {value} | {cells[1][name]} |")
    packed = report["packed"]
    lines.append(
        f"\nAs many names packed with gzip take {packed['cpu_seconds']:.1f} CPU seconds to read "
        f"and {packed['resident_bytes'] / 1e6:.0f} MB. Memory is what the process takes beside the "
        "libraries; pages of mapped files come on top, and the system drops them when it needs "
        "memory."
    )
    return "\n".join(lines) + "\n"


def _cells(measured: dict[str, Any]) -> dict[str, str]:
    """A column of the table."""
    opened = measured["open"]
    export = measured["export"]
    return {
        "bundle, MB": f"{export['bytes'] / 1e6:,.0f}",
        "open and find a row by name, seconds": _seconds(opened),
        "memory for it, mapped pages included, MB": f"{opened['resident_bytes'] / 1e6:.1f}",
        "find 1,000 rows by name, ms": f"{1e3 * measured['lookup_seconds']:.0f}",
        "read 1,000 rows, ms": f"{1e3 * measured['gather_seconds']:.0f}",
        "memory after 32 puzzles, MB": _megabytes(measured["used"]),
        "memory after reading 1,000 rows, MB": _megabytes(measured["gathered"]),
        "inspect --verify, seconds": _seconds(measured["verify"]),
        "export, seconds": _seconds(export),
        "memory of the export, MB": _megabytes(export),
        "error of a row, mean and largest": (
            f"{100 * export['mean_error']:.2f} %, {100 * export['max_error']:.2f} %"
        ),
    }


def _seconds(measured: dict[str, Any]) -> str:
    return f"{measured['seconds']:.2f} (CPU {measured['cpu_seconds']:.2f})"


def _megabytes(measured: dict[str, Any]) -> str:
    """Memory of the process, and the pages of mapped files."""
    own = measured["anonymous_bytes"] / 1e6
    mapped = (measured["resident_bytes"] - measured["anonymous_bytes"]) / 1e6
    return f"{own:.0f} + {mapped:,.0f}"


if __name__ == "__main__":
    main()
