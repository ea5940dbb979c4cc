from __future__ import annotations

from pathlib import Path

import click
import pytest

from tests.benchmarks.scripts import document_tables


def test_a_table_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- table speed -->\nold\n<!-- end -->\nb\n")
    document_tables().update_tables(page, {"speed": "| new |"})
    assert page.read_text() == "a\n<!-- table speed -->\n| new |\n<!-- end -->\nb\n"


@pytest.mark.parametrize("count", [0, 2])
def test_a_table_needs_exactly_one_place(count: int, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- table speed -->\n<!-- end -->\n" * count)
    with pytest.raises(click.ClickException, match=f"one place for the table 'speed', .* {count}"):
        document_tables().update_tables(page, {"speed": ""})
