"""A model's answers in float32 and by rows of the quantizer's tables, several rows at a time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import click
import onnx
import torch

from lib.quantization_rows import SAME_AS, Row, Subject, in_float32
from trm_edge.backends.base import Backend
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.calibration.fp8_arithmetic import fp8_in_float32
from trm_edge.evaluation.parity import ModeParity, ParityReport, compare
from trm_edge.evaluation.recording import labels_of, record_vectors
from trm_edge.evaluation.statistics import wilson_interval
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.export.checkpoint import Checkpoint
from trm_edge.export.torch_backend import TorchBackend
from trm_edge.progress import Track
from trm_edge.targets.puzzle_sources import calibration_puzzles, held_out_puzzles
from trm_edge.tasks import task_for

_HEAD = """\
| fixed | drop, 95 % | lost / gained | adaptive | drop, 95 % | lost / gained | same step, 95 % \
| carry cosine, first / last step | kB |
|---|---|---|---|---|---|---|---|---|---|"""
CALIBRATION_PUZZLES = 64
FLOAT32 = "float32"


class Recording(NamedTuple):
    """What a row answered.

    Args:
        vectors: its answers.
        size: of its graph in bytes; 0 where it has none.
        seconds: that it took, calibration included.
    """

    vectors: ParityVectors
    size: int
    seconds: float


class QuantizationBench:
    """A model, its float32 answers to held-out puzzles, and those of the rows measured so far.

    Each row solves on one thread: several rows at once use the cores better than several threads of
    one row. Graphs are made one after the other, since they share what calibration observed.

    Args:
        name: of the model.
        checkpoint: the model.
        puzzles: number of held-out puzzles, at most.
        folder: for graphs.
        track: reports progress.
        pool: measures rows, as many at once as it has threads.
    """

    def __init__(
        self,
        name: str,
        checkpoint: Checkpoint,
        puzzles: int,
        folder: Path,
        track: Track,
        pool: ThreadPoolExecutor,
    ) -> None:
        task = task_for(checkpoint.config)
        held_out = held_out_puzzles(task, None, puzzles)
        source = calibration_puzzles(task, None, None, held_out, CALIBRATION_PUZZLES)
        self.name = name
        self.config = checkpoint.config
        self.entries = held_out.entries
        self.track = track
        self.subject = Subject(
            checkpoint.model, checkpoint.puzzle_embeddings, source.puzzles, folder, track
        )
        self._pool = pool
        self._started: dict[str, tuple[int, Future[Recording]]] = {}  # with the number of puzzles
        self._printed: set[Future[Recording]] = set()
        self._building = Lock()

    def start(self, rows: Mapping[str, Row], count: int) -> None:
        """Begin to measure rows; puzzles that a row has solved before are not solved again.

        Args:
            rows: by label, without the float32 row.
            count: number of puzzles.
        """
        torch.set_num_threads(1)
        for label, row in {FLOAT32: in_float32, **rows}.items():
            key = _key(label)
            solved, _ = self._started.get(key, (0, None))
            if solved < count:
                future = self._pool.submit(self._solve, key, row, count)
                self._started[key] = count, future

    def table(self, rows: Mapping[str, Row], count: int, results: dict[str, object]) -> str:
        """Measure rows, as far as they are not yet, and format them as Markdown.

        Args:
            rows: by label, without the float32 row.
            count: number of puzzles.
            results: receives the full report of each row.
        """
        reports = self.reports(rows, count)
        lines = [f"| {count:,} puzzles {_HEAD}"]
        for label, report in reports.items():
            size = self._recording(label).size
            lines.append(_line(label, report, size))
            if label != FLOAT32:
                key = f"{self.name}, {count} puzzles: {label}"
                results[key] = report.to_dict() | {"bytes": size}
        return "\n".join(lines)

    def reports(self, rows: Mapping[str, Row], count: int) -> dict[str, ParityReport]:
        """Measure rows, as far as they are not yet, and compare them with float32.

        Args:
            rows: by label, without the float32 row.
            count: number of puzzles.

        Returns:
            By label, float32 first.
        """
        self.start(rows, count)
        reports = {}
        for label in (FLOAT32, *rows):
            reference = self._recording(FLOAT32).vectors.first(count)
            reports[label] = compare(reference, self._recording(label).vectors.first(count))
            self._print(label, reports[label])
        return reports

    def _recording(self, label: str) -> Recording:
        """What a row has answered, once it has."""
        _, future = self._started[_key(label)]
        return future.result()

    def _print(self, label: str, report: ParityReport) -> None:
        """Print the figures of a row when they are there first."""
        _, future = self._started[_key(label)]
        if future not in self._printed:
            self._printed.add(future)
            recording = future.result()
            line = _line(label, report, recording.size)
            click.echo(f"{self.name} {line} {recording.seconds:.0f} s", err=True)

    def _solve(self, label: str, row: Row, count: int) -> Recording:
        """Make the graph or model of a row and solve the first puzzles with it."""
        start = time.monotonic()
        path = self.subject.folder / f"{re.sub(r'[^0-9A-Za-z]+', '-', label)}.onnx"
        with self._building:
            engine, size = self._engine(row, path)
        entries = self.entries[:count]
        vectors = record_vectors(
            engine(),
            self.subject.table,
            [entry.puzzle for entry in entries],
            labels_of(entries, self.config),
            track=self.track,
            description=f"{self.name}: {label}",
        )
        path.unlink(missing_ok=True)
        return Recording(vectors, size, time.monotonic() - start)

    def _engine(self, row: Row, path: Path) -> tuple[Callable[[], Backend], int]:
        """The engine of a row, not yet loaded, and the size of its graph."""
        made = row(self.subject)
        if not isinstance(made, onnx.ModelProto):
            return partial(TorchBackend, made), 0
        onnx.save(fp8_in_float32(made), path)
        engine = partial(OnnxRuntimeBackend, path, self.config, threads=1, trusted=True)
        return engine, made.ByteSize()


def _key(label: str) -> str:
    """The label that a row was measured under first."""
    return SAME_AS.get(label, label)


def _line(label: str, report: ParityReport, size: int) -> str:
    kilobytes = f"{size / 1e3:.0f}" if size else ""
    if label == FLOAT32:
        cells = [f"{100 * mode.exact_reference:.1f} | | " for mode in report.modes]
        return f"| {label} | {' | '.join(cells)} | | | {kilobytes} |"
    cosines = report.carry.by_step
    cells = [_mode(mode) for mode in report.modes]
    return (
        f"| {re.sub(r' [(].*[)]$', '', label)} | {' | '.join(cells)} | {_same_step(report)} | "
        f"{cosines[0]:.4f} / {cosines[-1]:.4f} | {kilobytes} |"
    )


def _same_step(report: ParityReport) -> str:
    agreement = report.halting.agreement
    low, high = wilson_interval(round(agreement * report.puzzles), report.puzzles)
    return f"{100 * agreement:.1f} % ({100 * low:.1f} … {100 * high:.1f})"


def _mode(mode: ModeParity) -> str:
    low, high = mode.interval_drop
    return (
        f"{100 * mode.exact_candidate:.1f} | {mode.drop:+.2f} ({low:+.2f} … {high:+.2f}) | "
        f"{mode.lost} / {mode.gained}"
    )
