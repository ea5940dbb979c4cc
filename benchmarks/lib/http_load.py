"""Requests to a server at given rates, and what becomes of every one of them."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import aiohttp
import click
import numpy as np

SHARES = (0.25, 0.5, 0.75, 0.9, 1.0, 1.5, 2.0)  # of the rate at saturation
SEED = 1
WARM_UP = 50  # requests that are not counted
TIMEOUT = 60.0  # seconds of a request that never ends


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
    connector = aiohttp.TCPConnector(limit=0)  # as many connections as requests are under way
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    async with aiohttp.ClientSession(address, connector=connector, timeout=timeout) as client:
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


async def ask(client: aiohttp.ClientSession, text: str, load: Load) -> None:
    """Ask for one puzzle and record what becomes of it.

    Args:
        client: of the server.
        text: the puzzle.
        load: takes the outcome.
    """
    load.offered += 1
    start = time.perf_counter()
    try:
        async with client.post("/solve", json={"puzzles": [text]}) as response:
            body = await response.read()
    except (aiohttp.ClientError, TimeoutError, asyncio.TimeoutError):  # one class since Python 3.11
        load.lost += 1
        return
    load.statuses[response.status] += 1
    if response.status == 200:
        load.latencies.append(time.perf_counter() - start)
        if json.loads(body)["answers"][0]["puzzle"] != text:
            load.lost += 1


async def saturation(
    client: aiohttp.ClientSession, texts: Iterator[str], clients: int, seconds: float
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
    client: aiohttp.ClientSession, texts: Iterator[str], share: float, rate: float, seconds: float
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


async def solved_count(client: aiohttp.ClientSession) -> int:
    """Read the number of solved requests from the server's metrics.

    Args:
        client: of the server.
    """
    async with client.get("/metrics") as response:
        text = await response.text()
    match = re.search(r'^trm_edge_requests_total\{status="200"\} (\S+)$', text, re.MULTILINE)
    return 0 if match is None else int(float(match[1]))
