"""Measure what one core does beside the engine: read, judge and write puzzles, and run the loop.

    python benchmarks/host.py --output benchmarks/results

Puzzles are the bundled ones, over and over. "All of solve" is `trm-edge solve --format json` into a
file, and "all of solve, Parquet" is `trm-edge solve -o NAME.parquet` from a Parquet file, both with
an engine that computes nothing. Writes host.json and host.md.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trm_edge.backends.fake import FAKE_CONFIG, FakeBackend
from trm_edge.batch.answers import AnswerMaker
from trm_edge.batch.block_loop import BlockLoop
from trm_edge.batch.entries import block_entries
from trm_edge.batch.output_folder import OutputFolder
from trm_edge.batch.parquet_source import ParquetSource
from trm_edge.batch.run import Run
from trm_edge.cli.answers import AnswerPolicy
from trm_edge.cli.solve import write_solutions
from trm_edge.cli.solve_input import Reader, open_puzzles
from trm_edge.cli.solve_output import JsonWriter
from trm_edge.config import ModelConfig
from trm_edge.evaluation.machine import Machine
from trm_edge.files import write_text
from trm_edge.loop.solver import Solver
from trm_edge.tasks import task_named
from trm_edge.tasks.base import Entry, Task
from trm_edge.tasks.blocks import BLOCK

CONFIGS = {
    "sudoku": FAKE_CONFIG,
    "maze": replace(FAKE_CONFIG, seq_len=13 * 13, vocab_size=6),
}
SLOTS = 256


class NullBackend(FakeBackend):
    """An engine that computes nothing: every puzzle is its own answer, after one step.

    Args:
        config: shapes of the model that it stands for.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(replace(config, halt_max_steps=1))


@dataclass(frozen=True)
class Work:
    """A piece of work and its time on one core.

    Args:
        task: name of the task.
        work: what was done.
        per_second: puzzles in a second of CPU time, the median of all repetitions.
        slowest: of the slowest repetition.
        fastest: of the fastest one.
    """

    task: str
    work: str
    per_second: float
    slowest: float
    fastest: float


@click.command(help=__doc__)
@click.option("--puzzles", type=click.IntRange(BLOCK), default=20_000, show_default=True)
@click.option("--repeats", type=click.IntRange(1), default=5, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder.")
def main(puzzles: int, repeats: int, output: Path) -> None:
    works: list[Work] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, config in CONFIGS.items():
            task = task_named(name, config)
            source = _many_puzzles(task, puzzles, Path(folder))
            for work, run in _pieces(task, source, Path(folder)).items():
                rates = sorted(puzzles / _cpu_seconds(run) for _ in range(repeats))
                works.append(Work(name, work, median(rates), rates[0], rates[-1]))
                click.echo(f"{name}, {work}: {works[-1].per_second:,.0f} a second")
    report = {
        "machine": str(Machine.current()),
        "puzzles": puzzles,
        "slots": SLOTS,
        "works": [asdict(work) for work in works],
    }
    write_text(output / "host.json", json.dumps(report, indent=1) + "\n")
    write_text(output / "host.md", _page(report))


def _many_puzzles(task: Task, count: int, folder: Path) -> Path:
    """Write the bundled held-out puzzles as often as it takes."""
    bundled = task.bundled_puzzles("held_out")
    if bundled is None:
        raise click.ClickException(f"no puzzles are bundled for {task.name}.")
    header, *rows = bundled.read_text(encoding="utf-8").splitlines()
    lines = [header]
    while len(lines) <= count:
        lines += rows[: count + 1 - len(lines)]
    path = folder / f"{task.name}.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _pieces(task: Task, source: Path, folder: Path) -> dict[str, Callable[[], None]]:
    entries = [entry for entry in task.read(source) if isinstance(entry, Entry)]
    tokens = np.stack([entry.puzzle.tokens for entry in entries])
    answers = np.stack([entry.answer for entry in entries if entry.answer is not None])

    def read() -> None:
        for _ in task.read(source):
            pass

    table = folder / f"{task.name}.parquet"
    pq.write_table(pa.table({"puzzle": task.texts(tokens)}), table)

    def read_parquet() -> None:
        for block in ParquetSource(table).blocks():
            block_entries(task, block)

    def judge() -> None:
        for start in range(0, len(tokens), BLOCK):
            block = slice(start, start + BLOCK)
            assert task.judge(tokens[block], answers[block]).all()

    def write() -> None:
        for start in range(0, len(tokens), BLOCK):
            task.answer_texts(tokens[start : start + BLOCK], answers[start : start + BLOCK])

    def loop() -> None:
        puzzles = (entry.puzzle for entry in entries)
        with Solver(NullBackend(task.config), batch=SLOTS) as solver:
            for _ in solver.solve(puzzles, ordered=True):
                pass

    def solve() -> None:
        with (folder / "answers.jsonl").open("w") as out:
            writer = JsonWriter(task, out)
            _, feed = open_puzzles(task, str(source))
            reader = Reader(feed, writer)
            with Solver(NullBackend(task.config), batch=SLOTS) as solver:
                solutions = solver.solve(reader, ordered=True)
                write_solutions(task, reader, solutions, writer, AnswerPolicy())
            writer.finish()
        assert reader.count == len(entries)

    def solve_to_parquet() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as output:
            maker = AnswerMaker(task, AnswerPolicy(), "0" * 64)
            with Solver(NullBackend(task.config), batch=SLOTS) as solver:
                run = Run(
                    ParquetSource(table), OutputFolder(Path(output)), BlockLoop(solver, maker)
                )
                assert run.solve().tally.rows == len(entries)

    return {
        "read CSV": read,
        "read Parquet": read_parquet,
        "judge": judge,
        "write as text": write,
        "the loop alone": loop,
        "all of solve": solve,
        "all of solve, Parquet": solve_to_parquet,
    }


def _cpu_seconds(run: Callable[[], None]) -> float:
    start = time.process_time()
    with contextlib.redirect_stderr(io.StringIO()):
        run()
    return time.process_time() - start


def _page(report: dict[str, Any]) -> str:
    size = f"{report['puzzles']:,} puzzles of each task, {report['slots']} slots"
    lines = [
        f"{size}, one core. {report['machine']}",
        "",
        "| task | work | puzzles a second | slowest to fastest |",
        "|---|---|---|---|",
    ]
    for work in report["works"]:
        spread = f"{work['slowest']:,.0f} to {work['fastest']:,.0f}"
        rate = f"{work['per_second']:,.0f}"
        lines.append(f"| {work['task']} | {work['work']} | {rate} | {spread} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
