from __future__ import annotations

import numpy as np

from trm_edge.batch.rows import ROW_SCHEMA, entry_rows, row_table, text_rows
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.entries import BadLine, Entry
from trm_edge.tasks.text_formats import RawRow


def test_ids_are_the_given_ones_or_without_any_the_places() -> None:
    table = row_table(3, 3, {"id": ["a", None, "c"], "puzzle": ["x", "y", None]})
    assert table.schema.equals(ROW_SCHEMA)
    assert table["row"].to_pylist() == [3, 4, 5]
    assert table["id"].to_pylist() == ["a", None, "c"]
    assert row_table(10, 2, {})["id"].to_pylist() == ["10", "11"]


def test_rows_of_text_hold_bad_lines_in_their_place() -> None:
    lines: list[RawRow | BadLine] = [
        RawRow(2, "p", "q", "id"),
        BadLine(3, "is torn"),
        BadLine(4, "no", id="x"),
    ]
    table = text_rows(0, lines, has_ids=True)
    assert table.to_pylist()[0]["answer"] == "q"
    assert table["error"].to_pylist() == [None, "is torn", "no"]
    assert table["line"].to_pylist() == [2, 3, 4]
    assert table["id"].to_pylist() == ["id", None, "x"]
    assert text_rows(5, lines)["id"].to_pylist() == ["5", "6", "7"]


def test_parsed_puzzles_keep_tokens_labels_and_identifier() -> None:
    tokens = np.array([1, 2, 3], np.int32)
    entries: list[Entry | BadLine] = [
        Entry(Puzzle(tokens, 5), 1, tokens + 1),
        BadLine(2, "no"),
        Entry(Puzzle(tokens), 3),
    ]
    rows = entry_rows(0, entries).to_pylist()
    assert rows[0]["tokens"] == [1, 2, 3]
    assert rows[0]["labels"] == [2, 3, 4]
    assert rows[0]["identifier"] == 5
    assert rows[1]["tokens"] is None
    assert rows[1]["error"] == "no"
    assert rows[2]["labels"] is None
    assert rows[2]["tokens"] == [1, 2, 3]
