"""Load a server on this machine's loopback: latency against offered load, saturation, losses.

    python benchmarks/serve.py build/regress/sudoku --output benchmarks/results

Starts ``trm-edge serve`` and a client beside it, so both share the machine's cores. First as many
clients as there are slots ask for one puzzle after another, which gives the rate at saturation.
Then requests with one puzzle each come at random times, at shares of that rate, whether the ones
before them are answered or not. Writes serve.json and serve.md.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import click
import httpx
import numpy as np
from lib.document_tables import update_tables
from lib.held_out import held_out_texts

from trm_edge.evaluation.machine import Machine
from trm_edge.files import write_text

SHARES = (0.25, 0.5, 0.75, 0.9, 1.0, 1.5, 2.0)  # of the rate at saturation
SEED = 1
WARM_UP = 50  # requests that are not counted
TIMEOUT = 60.0  # seconds of a request that never ends
START_SECONDS = 120.0


@dataclass
class Load:
    """What became of the requests of one load.

    Args:
        share: of the rate at saturation that was offered; None: as many as were answered.
        offered: requests.
        seconds: in which they were sent.
        until_answered: seconds from the first request to the last reply.
        statuses: of the replies.
        lost: requests without a reply, or whose reply is of another puzzle.
        latencies: seconds of each request that was solved.
        late_sends: seconds by which the client was late with its latest request.
    """

    share: float | None
    offered: int = 0
    seconds: float = 0.0
    until_answered: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    lost: int = 0
    latencies: list[float] = field(default_factory=list)
    late_sends: float = 0.0

    def figures(self) -> dict[str, Any]:
        """Sum up for a row of the report."""
        milliseconds = 1e3 * np.array(self.latencies or [np.nan])
        p50, p99 = np.percentile(milliseconds, (50, 99))
        return {
            "share": self.share,
            "offered": self.offered,
            "offered_rate": self.offered / self.seconds,
            "solved": self.statuses[200],
            "solved_rate": self.statuses[200] / self.until_answered,
            "refused": self.statuses[429],
            "other": sum(self.statuses.values()) - self.statuses[200] - self.statuses[429],
            "lost": self.lost,
            "p50_ms": float(p50),
            "p99_ms": float(p99),
            "max_ms": float(milliseconds.max()),
            "late_send_ms": 1e3 * self.late_sends,
        }


@click.command(help=__doc__)
@click.argument("bundle", type=click.Path(path_type=Path, exists=True))
@click.option("--seconds", default=10.0, show_default=True, help="Of each load.")
@click.option("--slots", default=16, show_default=True, help="Of the server.")
@click.option("--queue", default=32, show_default=True, help="Puzzles that may wait.")
@click.option("--threads", default=1, show_default=True, help="Of the server's engine.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder.")
@click.option("--update", type=click.Path(path_type=Path), help="Document to write the table into.")
def main(
    bundle: Path,
    seconds: float,
    slots: int,
    queue: int,
    threads: int,
    output: Path,
    update: Path | None,
) -> None:
    machine = str(Machine.current())
    load_before = os.getloadavg()[0]
    puzzles = held_out_texts(bundle)
    options = ("--batch", str(slots), "--queue", str(queue), "--threads", str(threads))
    with serving(bundle, "--max-puzzles", "1", *options) as address:
        rows, counted = asyncio.run(measure(address, puzzles, slots, seconds))
    report = {
        "bundle": bundle.resolve().name,
        "seconds": seconds,
        "slots": slots,
        "queue": queue,
        "threads": threads,
        "rows": rows,
        "solved_by_client": sum(row["solved"] for row in rows),
        "solved_by_server": counted,
        "machine": machine,
        "load_average_before": load_before,
        "load_average_after": os.getloadavg()[0],
    }
    write_text(output / "serve.json", json.dumps(report, indent=1) + "\n")
    page = _page(report)
    write_text(output / "serve.md", page)
    if update is not None:
        update_tables(update, {"serve": _table(report)})
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


async def measure(
    address: str, puzzles: Sequence[str], clients: int, seconds: float
) -> tuple[list[dict[str, Any]], int]:
    """Measure saturation, and then every load.

    Args:
        address: of the server.
        puzzles: texts.
        clients: that ask at once at saturation.
        seconds: of each load.

    Returns:
        The rows of the report, and the solved requests that the server counts in them.
    """
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=address, timeout=TIMEOUT, limits=limits) as client:
        texts = cycle(puzzles)
        warm_up = Load(None)
        await asyncio.gather(*(ask(client, next(texts), warm_up) for _ in range(WARM_UP)))
        before = await solved_count(client)
        saturated = await saturation(client, texts, clients, seconds)
        rows = [saturated.figures()]
        click.echo(f"saturation: {rows[0]['solved_rate']:.0f} a second", err=True)
        for share in SHARES:
            load = await open_load(client, texts, share, rows[0]["solved_rate"], seconds)
            rows.append(load.figures())
            click.echo(f"{share:g} of it: p99 {rows[-1]['p99_ms']:.0f} ms", err=True)
        return rows, await solved_count(client) - before


async def ask(client: httpx.AsyncClient, text: str, load: Load) -> None:
    """Ask for one puzzle and record what becomes of it.

    Args:
        client: of the server.
        text: the puzzle.
        load: takes the outcome.
    """
    load.offered += 1
    start = time.perf_counter()
    try:
        response = await client.post("/solve", json={"puzzles": [text]})
    except httpx.HTTPError:
        load.lost += 1
        return
    load.statuses[response.status_code] += 1
    if response.status_code == 200:
        load.latencies.append(time.perf_counter() - start)
        if response.json()["answers"][0]["puzzle"] != text:
            load.lost += 1


async def saturation(
    client: httpx.AsyncClient, texts: Iterator[str], clients: int, seconds: float
) -> Load:
    """Keep every slot busy: each of so many clients asks again once it has its answer.

    Args:
        client: of the server.
        texts: puzzles without end.
        clients: how many; twice as many ask, so that one is always waiting for each slot.
        seconds: to go on.
    """
    load = Load(None)
    start = time.perf_counter()

    async def one_client() -> None:
        while time.perf_counter() - start < seconds:
            await ask(client, next(texts), load)

    await asyncio.gather(*(one_client() for _ in range(2 * clients)))
    load.seconds = time.perf_counter() - start
    load.until_answered = load.seconds
    return load


async def open_load(
    client: httpx.AsyncClient, texts: Iterator[str], share: float, rate: float, seconds: float
) -> Load:
    """Send requests at random times, with exponential gaps, however long the answers take.

    Args:
        client: of the server.
        texts: puzzles without end.
        share: of the rate that is offered.
        rate: at saturation, requests a second.
        seconds: of sending.
    """
    generator = random.Random(SEED)
    load = Load(share)
    tasks = []
    start = time.perf_counter()
    due = start
    while due - start < seconds:
        due += generator.expovariate(share * rate)
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        load.late_sends = max(load.late_sends, time.perf_counter() - due)
        tasks.append(asyncio.create_task(ask(client, next(texts), load)))
    load.seconds = time.perf_counter() - start
    await asyncio.gather(*tasks)
    load.until_answered = time.perf_counter() - start
    return load


async def solved_count(client: httpx.AsyncClient) -> int:
    """Read the number of solved requests from the server's metrics.

    Args:
        client: of the server.
    """
    text = (await client.get("/metrics")).text
    match = re.search(r'^trm_edge_requests_total\{status="200"\} (\S+)$', text, re.MULTILINE)
    return 0 if match is None else int(float(match[1]))


def _page(report: dict[str, Any]) -> str:
    load = f"{report['load_average_before']:.1f} to {report['load_average_after']:.1f}"
    return (
        "# A server under load\n\n"
        f"`python benchmarks/serve.py`: {report['bundle']}, {report['slots']} slots, "
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
