"""`bench` on a toy bundle: structure and marks; no assertion here rests on a time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.evaluation.samples import bench_row
from trm_edge.bundle import Bundle
from trm_edge.errors import BackendError, ConfigError
from trm_edge.evaluation.bench import bench, mark_pareto
from trm_edge.evaluation.energy import Meter
from trm_edge.loop.solver import Solver


def test_energy_comes_from_the_meter(toy_bundle: Path) -> None:
    starts: list[str] = []
    meter = Meter("test", lambda: starts.append("start"), lambda: 1e6)
    row = bench(
        Bundle.open(toy_bundle),
        slots=(1,),
        puzzles=2,
        threads=1,
        rounds=3,
        find_meter=lambda: meter,
    )
    assert starts == ["start"]
    assert row.joules_per_puzzle is not None
    assert 0 < row.joules_per_puzzle < 1e6
    assert row.parity.puzzles == 2
    assert [latency.slots for latency in row.latencies] == [1]


def test_a_failure_stops_the_meter(toy_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = False

    def start() -> None:
        nonlocal running
        running = True

    def stop() -> None:
        nonlocal running
        running = False

    solve = Solver.solve

    def failing(self: Solver, *arguments: Any, **options: Any) -> Any:
        if running:
            raise BackendError("out of memory")
        return solve(self, *arguments, **options)

    monkeypatch.setattr(Solver, "solve", failing)
    meter = Meter("test", start, stop)
    with pytest.raises(BackendError, match="out of memory"):
        bench(Bundle.open(toy_bundle), slots=(1,), puzzles=2, threads=1, find_meter=lambda: meter)
    assert not running


def test_slots_are_required(toy_bundle: Path) -> None:
    with pytest.raises(ConfigError, match="slots must name at least one number"):
        bench(Bundle.open(toy_bundle), slots=())
    with pytest.raises(ConfigError, match="latencies must have at least one entry"):
        replace(bench_row(Bundle.open(toy_bundle)), latencies=())


def test_pareto_marks(toy_bundle: Path) -> None:
    row = bench_row(Bundle.open(toy_bundle))
    figures = [(0.9, 2.0), (0.95, 3.0), (0.9, 2.5), (0.8, 1.0), (0.9, 2.0)]
    rows = []
    for exact, ms in figures:
        adaptive = replace(row.parity.adaptive, exact_candidate=exact)
        latency = replace(row.latencies[0], p50_ms=ms)
        parity = replace(row.parity, adaptive=adaptive)
        rows.append(replace(row, parity=parity, latencies=(latency,)))
    marked = mark_pareto(rows)
    assert [row.pareto for row in marked] == [True, True, False, True, True]


def test_rows_without_known_answers_have_no_mark_and_beat_none(toy_bundle: Path) -> None:
    row = bench_row(Bundle.open(toy_bundle))
    unknown = replace(bench_row(Bundle.open(toy_bundle), ms=1.0))
    unknown = replace(unknown, parity=replace(unknown.parity, labelled=False))
    marked = mark_pareto([row, unknown])
    assert [row.pareto for row in marked] == [True, False]
