"""Measure the site of `trm-edge page` in a headless Chromium, beside ONNX Runtime on this machine.

    python benchmarks/browser.py build/regress/sudoku build/regress/maze --output benchmarks/results

Steps are timed one puzzle at a time, in the page and natively by turns. Needs Playwright and
Chromium. Writes browser.json and browser.md.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnxruntime
from lib.document_tables import update_tables
from lib.site_server import SiteServer, serve_site

from trm_edge.bundle import Bundle
from trm_edge.evaluation.machine import Machine
from trm_edge.files import write_text
from trm_edge.page.content import Graph, graphs_of
from trm_edge.page.runtime import find_runtime
from trm_edge.page.site import write_site

MAX_THREADS = 4
ROUNDS = 3  # of a page and a native session by turns
READY = "#solve:not([disabled])"
SECONDS = 300
FLAGS = ("--no-sandbox", "--disable-gpu", "--enable-blink-features=ForceEagerMeasureMemory")
# Threads share memory; a page may do that when its host sends these.
ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
LOAD = """
async ({ graph, wanted }) => {
  const { Model } = await import("/assets/model.js");
  window.model = new Model(() => {});
  const threads = await window.model.open(wanted);
  await window.model.load(graph);
  return threads;
}
"""
STEPS = """
async ({ graph, puzzles }) => {
  const times = [];
  for (const puzzle of puzzles) {
    await window.model.solve(graph, puzzle, "fixed", (step) => times.push(step.milliseconds));
  }
  return times;
}
"""
MEMORY = "async () => (await performance.measureUserAgentSpecificMemory()).bytes"


@click.command(help=__doc__)
@click.argument("bundles", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--puzzles", default=4, show_default=True, help="Of each round, at every step.")
@click.option("--chromium", default="/usr/bin/chromium", show_default=True, help="The browser.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder.")
@click.option(
    "--update", type=click.Path(path_type=Path), help="Document to write the tables into."
)
def main(
    bundles: Sequence[Path], puzzles: int, chromium: str, output: Path, update: Path | None
) -> None:
    from playwright.sync_api import sync_playwright

    report: dict[str, Any] = {"machine": str(Machine.current()), "visits": [], "steps": []}
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        report["browser"] = f"Chromium {browser.version}, headless"
        for path in bundles:
            bundle = Bundle.open(path)
            task = bundle.task().name
            runtime = find_runtime()
            report["runtime"] = f"ONNX Runtime Web {runtime.version}"
            site = Path(folder) / task
            write_site(bundle, runtime, site)
            report["visits"].append({"model": task, **first_visit(browser, site)})
            for graph in graphs_of(bundle):
                for headers in ({}, ISOLATION):
                    row = timed_steps(browser, site, bundle, graph, headers, puzzles)
                    report["steps"].append({"model": task, "graph": graph.label, **row})
                    click.echo(json.dumps(report["steps"][-1]))
        browser.close()
    output.mkdir(parents=True, exist_ok=True)
    write_text(output / "browser.json", json.dumps(report, indent=1) + "\n")
    tables = {"browser-visit": visit_table(report), "browser-steps": step_table(report)}
    write_text(output / "browser.md", page_of(report, tables))
    if update is not None:
        update_tables(update, tables)
    click.echo(page_of(report, tables))


def first_visit(browser: Any, site: Path) -> dict[str, Any]:
    """Open the site with nothing cached, and solve its first example.

    Args:
        browser: a running Chromium.
        site: folder of the site.

    Returns:
        Seconds until the model is ready and until the first answer, bytes that the server sent
        until then, and bytes of memory that the page and its worker take.
    """
    with serve_site(site, ISOLATION) as server:
        page = open_page(browser, server)
        start = time.perf_counter()
        page.goto(server.url)
        page.wait_for_selector(READY)
        ready = time.perf_counter() - start
        page.click("#solve")
        page.wait_for_selector("#comparison table")
        answered = time.perf_counter() - start
        figures = {
            "ready_s": ready,
            "answered_s": answered,
            "sent_bytes": server.sent_bytes,
            "memory_bytes": page.evaluate(MEMORY),
        }
        page.context.close()
    return figures


def timed_steps(
    browser: Any,
    site: Path,
    bundle: Bundle,
    graph: Graph,
    headers: dict[str, str],
    puzzles: int,
) -> dict[str, Any]:
    """Time steps in the page and in a native session with as many threads, by turns.

    Args:
        browser: a running Chromium.
        site: folder of the site.
        bundle: the bundle of the site.
        graph: one of its graphs.
        headers: that the server sends; they allow threads or not.
        puzzles: of each round.

    Returns:
        Threads, and the median step in milliseconds in the page and natively.
    """
    tokens = bundle.parity().tokens[:puzzles].tolist()
    with serve_site(site, headers) as server:
        page = open_page(browser, server, service_workers="block")
        page.goto(server.url)
        page.wait_for_selector(READY)
        wanted = min(os.cpu_count() or 1, MAX_THREADS)
        threads = page.evaluate(LOAD, {"graph": graph.name, "wanted": wanted})
        session = native_session(bundle, graph, threads)
        times: dict[str, list[float]] = {"page": [], "native": []}
        data = {"graph": graph.name, "puzzles": tokens}
        page.evaluate(STEPS, data)  # the engine compiles the hot loops anew meanwhile
        native_steps(session, bundle, tokens)
        for _ in range(ROUNDS):
            times["page"] += page.evaluate(STEPS, data)
            times["native"] += native_steps(session, bundle, tokens)
        page.context.close()
    return {
        "threads": threads,
        "page_ms": float(np.median(times["page"])),
        "native_ms": float(np.median(times["native"])),
    }


def open_page(browser: Any, server: SiteServer, **options: Any) -> Any:
    """Open a window with nothing cached.

    Args:
        browser: a running Chromium.
        server: serves the site.
        options: of Playwright's context.
    """
    page = browser.new_context(**options).new_page()
    page.set_default_timeout(1000 * SECONDS)
    server.sent_bytes = 0
    return page


def native_session(bundle: Bundle, graph: Graph, threads: int) -> onnxruntime.InferenceSession:
    """Load a graph into ONNX Runtime's CPU provider.

    Args:
        bundle: the bundle.
        graph: one of its graphs.
        threads: of the CPU.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(
        bundle.read(graph.step), options, providers=["CPUExecutionProvider"]
    )


def native_steps(
    session: onnxruntime.InferenceSession, bundle: Bundle, puzzles: Sequence[Sequence[int]]
) -> list[float]:
    """Take every step of puzzles, one puzzle at a time.

    Args:
        session: of the graph.
        bundle: its bundle.
        puzzles: token ids.

    Returns:
        Milliseconds of every step.
    """
    config = bundle.config
    table = bundle.puzzle_embeddings()
    states = config.recursion.states
    shape = (1, config.carry_len, config.hidden_size)
    times = []
    for puzzle in puzzles:
        feeds: dict[str, Any] = {"tokens": np.array([puzzle], np.int32)}
        if table is not None:
            feeds["puzzle_embedding"] = np.array(table[:1], np.float32)
        feeds.update({state: np.zeros(shape, np.float32) for state in states})
        outputs = [f"{state}_next" for state in states] + ["logits", "q_halt", "q_continue"]
        for step in range(config.halt_max_steps):
            feeds["reset"] = np.array([step == 0])
            start = time.perf_counter()
            results = session.run(outputs, feeds)
            times.append(1e3 * (time.perf_counter() - start))
            feeds.update(zip(states, results, strict=False))
    return times


def page_of(report: dict[str, Any], tables: dict[str, str]) -> str:
    """Write the page of results.

    Args:
        report: as in browser.json.
        tables: Markdown by name.
    """
    head = f"{report['machine']}; {report['browser']}, {report['runtime']}."
    parts = ["# In the browser", "`python benchmarks/browser.py`.", head, *tables.values()]
    return "\n\n".join(parts) + "\n"


def visit_table(report: dict[str, Any]) -> str:
    """Write the table of first visits.

    Args:
        report: as in browser.json.
    """
    lines = [
        "| model | sent, MB | model ready, s | first answer, s | memory, MB |",
        "|---|---|---|---|---|",
    ]
    for row in report["visits"]:
        cells = [
            row["model"],
            f"{row['sent_bytes'] / 1e6:.2f}",
            f"{row['ready_s']:.1f}",
            f"{row['answered_s']:.1f}",
            f"{row['memory_bytes'] / 1e6:.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def step_table(report: dict[str, Any]) -> str:
    """Write the table of step times.

    Args:
        report: as in browser.json.
    """
    lines = [
        "| model | graph | threads | in the page, ms | native, ms | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for row in report["steps"]:
        cells = [
            row["model"],
            row["graph"],
            str(row["threads"]),
            f"{row['page_ms']:.1f}",
            f"{row['native_ms']:.1f}",
            f"{row['page_ms'] / row['native_ms']:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
