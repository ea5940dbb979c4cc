"""The numerics floor in the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.report.samples import untimed_row
from trm_edge.bundle import Bundle
from trm_edge.report.floor_table import group_floors
from trm_edge.report.rows import group_rows


def test_every_row_stands_beside_its_floor_or_says_that_there_is_none(toy_bundle: Path) -> None:
    row = untimed_row(Bundle.open(toy_bundle))
    without = replace(row, label="older", parity=replace(row.parity, floor=None))
    (group,) = group_rows([row, without])
    html = "".join(markup.html for markup in group_floors(group))
    assert "on 8 of the puzzles" in html
    assert "float32, bfloat16 carries" in html
    assert "this target" in html
    assert "older: the numerics floor is not recorded in this bundle." in html
