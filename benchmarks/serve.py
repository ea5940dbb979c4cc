"""Load a server on this machine's loopback: latency against offered load, saturation, losses.

    python benchmarks/serve.py build/regress/sudoku --output benchmarks/results

Starts ``trm-edge serve`` and a client beside it, so both share the machine's cores. First as many
clients as there are slots ask for one puzzle after another, which gives the rate at saturation.
Then requests with one puzzle each come at random times, at shares of that rate, whether the ones
before them are answered or not. Writes serve.json and serve.md, with --replicas serve_ray.json and
serve_ray.md.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from lib.document_tables import update_tables
from lib.held_out import held_out_texts
from lib.http_load import measure

from trm_edge.evaluation.machine import Machine
from trm_edge.files import write_text

START_SECONDS = 120.0


@click.command(help=__doc__)
@click.argument("bundle", type=click.Path(path_type=Path, exists=True))
@click.option("--seconds", default=10.0, show_default=True, help="Of each load.")
@click.option("--slots", default=16, show_default=True, help="Of the server.")
@click.option("--queue", default=32, show_default=True, help="Puzzles that may wait.")
@click.option("--threads", default=1, show_default=True, help="Of the server's engine.")
@click.option(
    "--replicas", type=int, help="Serve with so many replicas on Ray, each with the above."
)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder.")
@click.option("--update", type=click.Path(path_type=Path), help="Document to write the table into.")
def main(
    bundle: Path,
    seconds: float,
    slots: int,
    queue: int,
    threads: int,
    replicas: int | None,
    output: Path,
    update: Path | None,
) -> None:
    machine = str(Machine.current())
    load_before = os.getloadavg()[0]
    puzzles = held_out_texts(bundle)
    options = ["--batch", str(slots), "--queue", str(queue), "--threads", str(threads)]
    if replicas is not None:
        options += ["--ray", "--replicas", str(replicas)]
    with serving(bundle, "--max-puzzles", "1", *options) as address:
        rows, counted = asyncio.run(measure(address, puzzles, slots * (replicas or 1), seconds))
    report = {
        "bundle": bundle.resolve().name,
        "seconds": seconds,
        "slots": slots,
        "queue": queue,
        "threads": threads,
        "replicas": replicas,
        "rows": rows,
        "solved_by_client": sum(row["solved"] for row in rows),
        "solved_by_server": counted,
        "machine": machine,
        "load_average_before": load_before,
        "load_average_after": os.getloadavg()[0],
    }
    name = "serve" if replicas is None else "serve_ray"
    write_text(output / f"{name}.json", json.dumps(report, indent=1) + "\n")
    page = _page(report)
    write_text(output / f"{name}.md", page)
    if update is not None:
        update_tables(update, {name.replace("_", " "): _table(report)})
    click.echo(page)
    check(report)


def check(report: dict[str, Any]) -> None:
    """Fail where a request has no outcome, or the client and the server disagree.

    Args:
        report: the results.

    Raises:
        ClickException: says what was lost.
    """
    for row in report["rows"]:
        if row["lost"] or row["other"]:
            raise click.ClickException(
                f"at {row['offered_rate']:.0f} requests a second {row['lost']} were lost and "
                f"{row['other']} got another status than 200 and 429."
            )
    if report["solved_by_client"] != report["solved_by_server"]:
        raise click.ClickException(
            f"the server counts {report['solved_by_server']} solved requests, but the client "
            f"{report['solved_by_client']}."
        )


@contextmanager
def serving(bundle: Path, *options: str) -> Iterator[str]:
    """Run a server in a process of its own until the block ends.

    Args:
        bundle: that it serves.
        options: of ``trm-edge serve``.

    Returns:
        Its address.

    Raises:
        ClickException: it does not start, or does not stop as it should.
    """
    command = [sys.executable, "-m", "trm_edge", "serve", str(bundle), "--port", "0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield _address(process)
            process.terminate()
            code = process.wait(START_SECONDS)
        finally:
            process.kill()
    if code:
        raise click.ClickException(f"the server ended with exit code {code}.")


def _address(process: subprocess.Popen[str]) -> str:
    lines = []
    for line in process.stderr or ():
        lines.append(line)
        match = re.search(r"on (http://\S+:\d+);", line)
        if match is not None:
            return match[1]
    raise click.ClickException(f"the server did not start: {''.join(lines)}")


def _page(report: dict[str, Any]) -> str:
    load = f"{report['load_average_before']:.1f} to {report['load_average_after']:.1f}"
    replicas = ""
    if report.get("replicas") is not None:  # older results have no such key
        replicas = f"{report['replicas']} replicas on Ray, each with "
    return (
        "# A server under load\n\n"
        f"`python benchmarks/serve.py`: {report['bundle']}, {replicas}{report['slots']} slots, "
        f"{report['queue']} puzzles may wait, {report['threads']} threads; each load "
        f"{report['seconds']:g} s. Client and server share the machine: {report['machine']}; load "
        f"average {load}. The client counts {report['solved_by_client']:,} solved requests, the "
        f"server {report['solved_by_server']:,}.\n\n{_table(report)}\n"
    )


def _table(report: dict[str, Any]) -> str:
    lines = [
        "| offered, of saturation | offered a second | solved a second | p50, ms | p99, ms "
        "| max, ms | offered | solved | refused with 429 | lost |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        share = "as fast as answered" if row["share"] is None else f"{row['share']:g}"
        cells = [
            share,
            f"{row['offered_rate']:.0f}",
            f"{row['solved_rate']:.0f}",
            *(f"{row[f'{name}_ms']:.0f}" for name in ("p50", "p99", "max")),
            *(f"{row[name]:,}" for name in ("offered", "solved", "refused", "lost")),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
