from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.batch.runs import TASK, puzzle_texts
from trm_edge.batch.open_source import open_source
from trm_edge.batch.text_source import CsvSource, JsonLinesSource, TaskSource
from trm_edge.errors import PuzzleError

TEXT = puzzle_texts(1)[0]


def rows_of(path: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for block in open_source(TASK, path).blocks():
        rows += block.to_pylist()
    return rows


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (f"puzzle\n{TEXT}\n", CsvSource),
        (f"id;rating;question\n1;2;{TEXT}\n", CsvSource),
        ('\n{"puzzle": "x"}\n', JsonLinesSource),
        (f"{TEXT}\n", TaskSource),
        ("xxx45xxxx\n" * 9, TaskSource),
        (f"{TEXT},{TEXT}\n", TaskSource),
    ],
)
def test_the_first_line_tells_what_a_file_holds(tmp_path: Path, content: str, kind: type) -> None:
    (tmp_path / "in").write_text(content)
    assert type(open_source(TASK, tmp_path / "in")) is kind


def test_a_csv_row_keeps_id_answer_and_line(tmp_path: Path) -> None:
    path = tmp_path / "in.csv.gz"
    text = f"id,question,answer\na,{TEXT},x\n\nb,{TEXT}\nc,{TEXT},\n"
    path.write_bytes(gzip.compress(text.encode()))
    rows = rows_of(path)
    assert [row["id"] for row in rows] == ["a", None, "c"]
    assert [row["line"] for row in rows] == [2, 4, 5]
    assert [row["answer"] for row in rows] == ["x", None, None]
    assert rows[1]["error"] == "expected 3 fields, but got 2"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("nope", "is not JSON"),
        ("[1]", "is not a JSON object"),
        ('{"grid": 1}', "has no puzzle; its keys are grid"),
        ('{"puzzle": 5}', "puzzle must be text, but is a number"),
        ('{"puzzle": null}', "puzzle must be text, but is null"),
        ('{"puzzle": "x", "solution": [1]}', "solution must be text, but is a list"),
        ('{"puzzle": "x", "id": 1.5}', "id must be text or a whole number, but is a number"),
        ('{"puzzle": "x", "id": true}', "id must be text or a whole number"),
        ("[" * 100_000, "is not JSON"),
        (json.dumps({"puzzle": "x" * (1 << 20)}), "longer than"),
    ],
)
def test_a_json_line_that_is_no_puzzle_says_why(tmp_path: Path, line: str, error: str) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(f'{{"puzzle": "{TEXT}"}}\n{line}\n')
    rows = rows_of(path)
    assert rows[0]["puzzle"] == TEXT
    assert error in str(rows[1]["error"])


def test_ids_stand_in_all_json_lines_or_in_none(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"puzzle": "x"}\n{"puzzle": "x", "id": 7}\n')
    assert rows_of(path)[1]["error"] == "has an id, though the first object has none"
    path.write_text('{"puzzle": "x", "id": 7}\n{"puzzle": "x"}\n')
    assert [row["id"] for row in rows_of(path)] == ["7", ""]  # which check_ids refuses


def test_a_bad_json_line_keeps_an_id_that_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    bad = [
        '{"id": 5, "grid": 1}',
        '{"id": "e", "puzzle": 5}',
        '{"id": 7, "puzzle": "x", "solution": 1}',
    ]
    path.write_text("\n".join(['{"id": 1, "puzzle": "x"}', *bad, "torn", '{"puzzle": 5}']))
    rows = rows_of(path)
    assert [row["id"] for row in rows] == ["1", "5", "e", "7", None, None]
    assert all(row["error"] for row in rows[1:])


def test_a_table_without_puzzles_names_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text(f"grid,level\n{TEXT},1\n")
    with pytest.raises(PuzzleError, match="no column of puzzles: its columns are grid, level"):
        open_source(TASK, path)


def test_a_hash_covers_the_files_and_not_their_names(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"puzzle\n{TEXT}\n")
    (tmp_path / "b.csv").write_text(f"puzzle\n{TEXT}\n")
    first = open_source(TASK, tmp_path / "a.csv").sha256()
    assert open_source(TASK, tmp_path / "b.csv").sha256() == first
    (tmp_path / "b.csv").write_text(f"puzzle\n{TEXT} \n")
    assert open_source(TASK, tmp_path / "b.csv").sha256() != first
