from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.regression.measurements import MACHINE
from tests.report.samples import bench_row, untimed_row
from trm_edge.bundle import Bundle
from trm_edge.manifest import Limits
from trm_edge.report.overview import machine_text, overview
from trm_edge.report.rows import group_rows
from trm_edge.report.style import mark_of


def test_a_machine_is_described_without_its_load() -> None:
    text = "a CPU (avx2), 2 cores, Linux x86_64, Python 3.11.0, ONNX Runtime 1.32.0"
    assert machine_text(MACHINE) == text
    single = replace(MACHINE, instructions=(), cores=1)
    assert machine_text(single).startswith("a CPU, 1 core, Linux")


def test_untimed_rows_have_dashes_beside_timed_ones(toy_bundle: Path) -> None:
    row = untimed_row(Bundle.open(toy_bundle))
    timed = replace(row, label="timed", bench=bench_row(row))
    (group,) = group_rows([timed, replace(row, label="untimed")])
    html = overview(group, {"timed": mark_of(0), "untimed": mark_of(1)}).html
    float32, first, second = html.partition("<tbody>")[2].split("</tr>")[:3]
    assert "float32" in float32
    assert first.count("<td>-</td>") == 0
    assert second.count("<td>-</td>") == 6  # ms and speedup for 1 and 32 slots, puzzles/s, MB
    assert "J/puzzle" not in html


def test_exceeded_limits_are_explained(toy_bundle: Path) -> None:
    row = untimed_row(Bundle.open(toy_bundle))
    halting = replace(row.parity.halting, agreement=0.0)
    row = replace(row, parity=replace(row.parity, halting=halting))
    limits = Limits(max_drop=100.0, min_halting_agreement=1.0)
    manifest = replace(row.bundle.manifest, limits=limits)
    row = replace(row, bundle=Bundle(row.bundle.path, manifest))
    (group,) = group_rows([row])
    html = overview(group, {row.label: mark_of(0)}).html
    assert "0.0 % of the puzzles stop at the same step" in html
    assert ">exceeded</span>" in html


def test_without_known_answers_agreement_is_shown_as_such(toy_bundle: Path) -> None:
    row = untimed_row(Bundle.open(toy_bundle))
    row = replace(row, parity=replace(row.parity, labelled=False))
    (group,) = group_rows([replace(row, bench=bench_row(row))])
    html = overview(group, {row.label: mark_of(0)}).html
    float32, first = html.partition("<tbody>")[2].split("</tr>")[:2]
    assert float32.count("<td>-</td>") >= 2
    assert first.count("as float32") == 2
    assert "star" not in first


def test_limits_that_the_puzzles_cannot_decide_are_inconclusive(toy_bundle: Path) -> None:
    row = untimed_row(Bundle.open(toy_bundle))
    limits = Limits(max_drop=1.0, min_halting_agreement=0.0)
    manifest = replace(row.bundle.manifest, limits=limits)
    row = replace(row, bundle=Bundle(row.bundle.path, manifest))
    assert row.broken == []
    assert len(row.undecided) == 2
    (group,) = group_rows([row])
    html = overview(group, {row.label: mark_of(0)}).html
    assert ">inconclusive</span>" in html
    assert "8 puzzles cannot" in html
