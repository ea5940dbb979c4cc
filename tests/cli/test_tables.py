"""One policy of widths: nothing is cut, names and numbers are whole, in every width."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len

from trm_edge.cli.console import MIN_WIDTH, PIPE_WIDTH, stdout_console
from trm_edge.cli.tables import Column, DataTable, print_fields, print_text
from trm_edge.console import plain_console

NUMBERS = ("1234567.25", "-0.39", "98.0 % (96.4 to 98.9)", "0.9981")


def a_table(rows: int = 3) -> DataTable:
    table = DataTable(
        [
            Column("bundle, target", align="left"),
            Column("bytes"),
            Column("points lost"),
            Column("exact match"),
            Column("cosine", wide=True),
            Column("left in float", align="left", wraps=True),
        ],
        title="measured\n",
    )
    for number in range(rows):
        table.add(f"jetson-{number}", *NUMBERS, "lm_head, q_head and blocks.0.mlp.down")
    return table


def text_of(table: DataTable, width: int, *, wide: bool = False, transposed: bool = False) -> str:
    out = io.StringIO()
    console = plain_console(file=out, width=width)
    if transposed:
        table.print_transposed(console)
    else:
        table.print(console, wide=wide)
    return out.getvalue()


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_every_figure_is_whole_in_every_width(width: int, transposed: bool) -> None:
    text = text_of(a_table(), width, transposed=transposed)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "…" not in text
    shown = NUMBERS if transposed else NUMBERS[:3]
    for number in shown:
        assert text.count(number) == 3
    for name in ("jetson-0", "jetson-1", "jetson-2"):
        assert name in text


def test_a_wide_table_has_every_column_and_a_line_a_row() -> None:
    lines = text_of(a_table(), 60, wide=True).splitlines()
    assert len(lines) == 2 + 2 + 3  # title and a space, head and rule, rows
    for line in lines[-3:]:
        assert all(number in line for number in NUMBERS)
        assert line.endswith("lm_head, q_head and blocks.0.mlp.down")


def test_words_wrap_before_the_table_becomes_a_list() -> None:
    assert text_of(a_table(), 80).count("lm_head, q_head and\n") == 3
    listed = text_of(a_table(1), 45).splitlines()
    assert listed[2:] == [
        "jetson-0",
        "  bytes          1234567.25",
        "  points lost    -0.39",
        "  exact match    98.0 % (96.4 to 98.9)",
        "  left in float  lm_head, q_head and",
        "                 blocks.0.mlp.down",
    ]


def test_rows_stand_side_by_side_and_go_on_below() -> None:
    table = DataTable([Column("bundle"), Column("ms"), Column("joules")])
    for number in range(5):
        table.add(f"bundle-{number}", f"{number}.25", "")
    lines = text_of(table, 40, transposed=True).splitlines()
    assert lines[0].split() == ["bundle", "bundle-0", "bundle-1", "bundle-2"]
    assert lines[2].split() == ["ms", "0.25", "1.25", "2.25"]
    assert lines[4].split() == ["bundle", "bundle-3", "bundle-4"]
    assert "joules" not in "".join(lines)  # no row has any


def test_a_row_too_wide_for_the_width_is_listed_whole() -> None:
    table = DataTable([Column("bundle"), Column("ms")])
    path = "/a/folder/" + "x" * 60
    table.add(path, "0.25")
    for transposed in (False, True):
        text = text_of(table, 40, transposed=transposed)
        assert path in text
        assert "0.25" in text


def test_columns_of_the_same_title_are_all_listed() -> None:
    table = DataTable([Column("mode"), Column("points lost"), Column("points lost")])
    table.add("a-name-that-makes-the-table-too-wide-for-it", "+0.25", "-0.75")
    text = text_of(table, 40)
    assert "+0.25" in text
    assert "-0.75" in text


def test_a_row_has_a_cell_for_each_column() -> None:
    with pytest.raises(ValueError, match="must have 6 cells, but got 1"):
        a_table().add("jetson")


def test_fields_wrap_behind_their_labels() -> None:
    out = io.StringIO()
    digest = "0" * 38
    fields = {"made with": "torch 2.13.0, onnx 1.23.2, numpy 2.4.6", "hash": digest, "empty": ""}
    print_fields(plain_console(file=out, width=40), fields)
    assert [line.rstrip() for line in out.getvalue().splitlines()] == [
        "made with  torch 2.13.0, onnx 1.23.2,",
        "           numpy 2.4.6",
        "hash",
        digest,
        "empty",
    ]


def test_sentences_wrap_with_an_indent() -> None:
    out = io.StringIO()
    print_text(plain_console(file=out, width=40), "word " * 12, indent=4)
    first, second = out.getvalue().splitlines()
    assert len(first) <= 40
    assert second.startswith("    word")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_the_rule_can_be_written_in_any_encoding(encoding: str) -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding)
    a_table().print(plain_console(file=out, width=80))
    out.flush()
    rule = "─" if encoding == "utf-8" else "-"
    assert 40 * rule in raw.getvalue().decode(encoding)


def test_the_width_of_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert stdout_console().width == PIPE_WIDTH
    monkeypatch.setenv("COLUMNS", "132")
    assert stdout_console().width == 132
    monkeypatch.setenv("COLUMNS", "wide")
    assert stdout_console().width == PIPE_WIDTH
    monkeypatch.setenv("COLUMNS", "0")
    assert stdout_console().width == MIN_WIDTH
