from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.batch.runs import TASK, puzzle_texts, read_folder, run_in
from trm_edge.batch.open_source import open_source
from trm_edge.batch.unique_ids import check_ids
from trm_edge.errors import PuzzleError

COUNT = 3000  # rows, of several blocks


def write(path: Path, ids: list[str | None]) -> Path:
    texts = puzzle_texts(1) * len(ids)
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"id": ids, "puzzle": texts}), path)
    elif path.suffix == ".csv":
        lines = [f"{each or ''},{text}\n" for each, text in zip(ids, texts, strict=True)]
        path.write_text("id,puzzle\n" + "".join(lines))
    else:
        rows = []
        for each, text in zip(ids, texts, strict=True):
            row = {"puzzle": text} if each is None else {"id": each, "puzzle": text}
            rows.append(json.dumps(row))
        path.write_text("\n".join(rows))
    return path


@pytest.mark.parametrize("name", ["in.parquet", "in.csv", "in.jsonl"])
def test_an_id_in_two_rows_is_refused_and_named(tmp_path: Path, name: str) -> None:
    ids: list[str | None] = [f"p{number}" for number in range(COUNT)]
    check_ids(open_source(TASK, write(tmp_path / name, ids)))
    ids[COUNT - 2] = "p17"
    with pytest.raises(PuzzleError, match=f"has the id p17 in rows 17 and {COUNT - 2}"):
        check_ids(open_source(TASK, write(tmp_path / name, ids)))


@pytest.mark.parametrize("name", ["in.parquet", "in.csv", "in.jsonl"])
def test_a_missing_id_is_refused(tmp_path: Path, name: str) -> None:
    ids: list[str | None] = [f"p{number}" for number in range(20)]
    ids[11] = None
    with pytest.raises(PuzzleError, match="has no id in row 11"):
        check_ids(open_source(TASK, write(tmp_path / name, ids)))


def test_numbers_are_ids(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"id": [3, 1, 3], "puzzle": puzzle_texts(3)}), path)
    with pytest.raises(PuzzleError, match="has the id 3 in rows 0 and 2"):
        check_ids(open_source(TASK, path))


def test_digests_that_end_in_zero_bytes_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "trm_edge.batch.unique_ids._digest", lambda text: text.encode().ljust(16, b"\0")
    )
    ids: list[str | None] = ["a", "b", "a"]
    with pytest.raises(PuzzleError, match="the id a in rows 0 and 2"):
        check_ids(open_source(TASK, write(tmp_path / "in.csv", ids)))


@pytest.mark.parametrize("name", ["in.csv", "in.jsonl"])
def test_a_line_that_cannot_be_read_has_no_id_and_fails_alone(tmp_path: Path, name: str) -> None:
    """Its place, 1, is the id of another row."""
    path = write(tmp_path / name, ["1", "torn", "3"])
    lines = path.read_text().splitlines()
    torn = next(number for number, line in enumerate(lines) if "torn" in line)
    lines[torn] = '{"id": "torn'
    path.write_text("\n".join(lines))
    source = open_source(TASK, path)
    check_ids(source)
    run_in(tmp_path / "out.parquet", path)
    answers = read_folder(tmp_path / "out.parquet")
    assert answers["id"].to_pylist() == ["1", None, "3"]
    assert answers["outcome"].to_pylist() == ["answered", "failed", "answered"]
    repeated = [*lines[:-1], lines[-1].replace("3", "1", 1)]
    path.write_text("\n".join(repeated))
    with pytest.raises(PuzzleError, match="has the id 1 in rows 0 and 2"):
        check_ids(open_source(TASK, path))
