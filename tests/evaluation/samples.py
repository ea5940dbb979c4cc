"""Runs of the fake backend and a benchmark row, made up so that no test rests on a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trm_edge.backends.fake import FakeBackend
from trm_edge.bundle import Bundle
from trm_edge.evaluation.bench import BenchRow, Latency
from trm_edge.evaluation.machine import Machine
from trm_edge.evaluation.parity import compare
from trm_edge.evaluation.recording import record_vectors
from trm_edge.evaluation.timing import Ratio
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.puzzle import Puzzle, unknown_label

PUZZLES = 20
MACHINE = Machine("a CPU", ("avx2",), (), "Linux x86_64", 2, "3.11.0", "1.32.0")


def fake_puzzles(count: int = PUZZLES) -> list[Puzzle]:
    """Random puzzles of the fake backend, without padding: as labels, it would not count."""
    rng = np.random.default_rng(0)
    tokens = np.maximum(rng.integers(0, 11, (count, 81), dtype=np.int32), 1)
    return [Puzzle(row) for row in tokens]


def fake_vectors() -> ParityVectors:
    """The fake backend's answers, all of them right after enough steps."""
    puzzles = fake_puzzles()
    labels = np.stack([puzzle.tokens for puzzle in puzzles]).astype(np.uint8)
    return record_vectors(FakeBackend(), None, puzzles, labels, batch=6)


def without_answers(vectors: ParityVectors) -> ParityVectors:
    """The same answers to puzzles whose right answers nobody knows."""
    unknown = unknown_label(vectors.labels.dtype)
    return replace(vectors, labels=np.full_like(vectors.labels, unknown))


def bench_row(bundle: Bundle, ms: float = 2.0, joules: float | None = None) -> BenchRow:
    """Measurements of a bundle's CPU target that nobody took."""
    name, record = bundle.target("cpu")
    vectors = bundle.parity()
    latencies = []
    for slots in (1, 32):
        step_ms = slots * ms
        latency = Latency(slots, step_ms, step_ms * 1.1, step_ms * 1.3, Ratio(2.5, 2.4, 2.6))
        latencies.append(latency)
    return BenchRow(
        bundle=str(bundle.path),
        target=name,
        precision=record.precision,
        engine="ONNX Runtime",
        size_bytes=bundle.size_of(name),
        parity=compare(vectors, vectors),
        latencies=tuple(latencies),
        puzzles_per_second=321.0,
        peak_memory_bytes=87_000_000,
        startup_seconds=0.4,
        joules_per_puzzle=joules,
    )
