"""The numerics floor as text."""

from __future__ import annotations

from rich.console import Console

from tests.evaluation.floors import changed_vectors, sample_floor
from tests.evaluation.samples import fake_vectors
from trm_edge.cli.floor_output import NOT_RECORDED, floor_line, floor_table, floor_title
from trm_edge.evaluation.floor_report import floor_report

REPORT = floor_report(sample_floor(), fake_vectors(), changed_vectors())


def test_a_line_has_every_run() -> None:
    line = floor_line(REPORT)
    assert line.startswith("Numerics floor on 10 of the puzzles: float32, 8 slots -0 +0 fixed")
    assert "float32, bfloat16 carries -2 +1 fixed, -1 +0 adaptive, 70.0 % same step" in line
    assert "this target " in line
    assert "90.0 % same step" in line
    assert floor_line(None) == NOT_RECORDED


def test_a_table_has_a_row_for_every_run() -> None:
    assert "Numerics floor, 10 of the puzzles" in floor_title(REPORT)
    console = Console(width=100)
    with console.capture() as capture:
        floor_table(REPORT).print(console)
    text = capture.get()
    (row,) = [line for line in text.splitlines() if "bfloat16" in line]
    assert "-2 +1" in row
    assert "70.0 (39.7 to 89.2)" in row
