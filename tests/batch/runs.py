"""Runs over a model that computes nothing, and inputs for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trm_edge.backends.base import HaltingLogits
from trm_edge.backends.fake import FAKE_CONFIG, FakeBackend
from trm_edge.batch.answers import AnswerMaker
from trm_edge.batch.block_loop import BlockLoop
from trm_edge.batch.fingerprint import Fingerprint
from trm_edge.batch.open_source import open_source
from trm_edge.batch.output_folder import OutputFolder
from trm_edge.batch.run import Run, RunResult
from trm_edge.cli.answers import AnswerPolicy
from trm_edge.cli.search_options import SearchOptions
from trm_edge.errors import BackendError
from trm_edge.loop.solver import Solver
from trm_edge.tasks.sudoku import SudokuTask

TASK = SudokuTask(FAKE_CONFIG)
MAKER = AnswerMaker(TASK, AnswerPolicy(), "b" * 64)
SETTINGS = Fingerprint(
    version="1",
    answers=1,
    bundle="b" * 64,
    target="cpu",
    precision="fp32",
    backend="fake",
    halting="adaptive",
    input="a" * 64,
    **asdict(SearchOptions.one_try()),
)


def puzzle_texts(count: int, seed: int = 0) -> list[str]:
    """Sudokus with one digit each, which take different numbers of steps."""
    rng = np.random.default_rng(seed)
    texts = []
    for _ in range(count):
        cells = ["."] * 81
        cells[int(rng.integers(81))] = str(rng.integers(1, 10))
        texts.append("".join(cells))
    return texts


def write_input(path: Path, texts: list[str], *, with_ids: bool = True) -> Path:
    """Puzzles as Parquet."""
    columns: dict[str, list[str]] = {"puzzle": texts}
    if with_ids:
        columns["id"] = [f"p{number}" for number in range(len(texts))]
    pq.write_table(pa.table(columns), path)
    return path


class PoisonBackend(FakeBackend):
    """Fails on every batch with a puzzle whose first cell holds the digit 9.

    Args:
        fails: it does; otherwise it works.
    """

    def __init__(self, *, fails: bool = True) -> None:
        super().__init__()
        self.fails = fails

    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        if self.fails and (tokens[:, 0] == 10).any():
            raise BackendError("an illegal memory access.")
        return super().step(tokens, puzzle_embedding, reset)


POISON = f"9{'.' * 80}"


def solve_blocks(blocks: list[pa.Table], backend: FakeBackend | None = None) -> list[pa.Table]:
    """The answers to blocks."""
    with Solver(backend or FakeBackend(), batch=8) as solver:
        return list(BlockLoop(solver, MAKER).solve(blocks))


def run_in(
    folder: Path,
    source: Path,
    *,
    backend: FakeBackend | None = None,
    part_rows: int = 40,
    retry_failed: bool = False,
) -> RunResult:
    """Solve what is left of an input, as the command does."""
    output = OutputFolder(folder)
    with output.locked(), Solver(backend or FakeBackend(), batch=8) as solver:
        rows = open_source(TASK, source)
        rows.sha256()
        if not output.check_same(SETTINGS):
            output.begin(SETTINGS)
        run = Run(rows, output, BlockLoop(solver, MAKER), part_rows=part_rows)
        return run.solve(retry_failed=retry_failed)


def read_folder(folder: Path) -> pa.Table:
    """All answers of a folder, as any reader of Parquet folders sees them, by row."""
    return pads.dataset(folder, format="parquet").to_table(use_threads=False).sort_by("row")


def parts_of(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.glob("rows-*.parquet"))
