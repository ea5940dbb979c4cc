from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.batch.runs import TASK, puzzle_texts, solve_blocks, write_input
from trm_edge.batch import parquet_file
from trm_edge.batch.open_source import open_source
from trm_edge.batch.parquet_source import ParquetSource
from trm_edge.batch.source import BLOCK_ROWS
from trm_edge.errors import PuzzleError


def answers_to(path: Path) -> pa.Table:
    return pa.concat_tables(solve_blocks(list(open_source(TASK, path).blocks())))


def test_text_and_tokens_give_the_same_answers(tmp_path: Path) -> None:
    texts = puzzle_texts(50)
    tokens = [TASK.puzzle(text).tokens for text in texts]
    columns: dict[str, Any] = {
        "text": {"question": texts},
        "dictionary": {"puzzle": pa.array(texts).dictionary_encode()},
        "large": {"Puzzle": pa.array(texts, pa.large_string())},
        "bytes": {"tokens": [each.astype(np.uint8) for each in tokens]},
        "fixed": {"puzzle": pa.array([each.tolist() for each in tokens], pa.list_(pa.int16(), 81))},
    }
    expected = None
    for name, table in columns.items():
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table(table), path)
        answers = answers_to(path)
        assert answers["id"].to_pylist() == [str(number) for number in range(50)]
        expected = expected or answers
        assert answers.equals(expected), name


def test_a_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    texts = puzzle_texts(30)
    (tmp_path / "in" / "part=1").mkdir(parents=True)
    write_input(tmp_path / "in" / "a.parquet", texts[:10], with_ids=False)
    write_input(tmp_path / "in" / "part=1" / "b.parquet", texts[10:], with_ids=False)
    write_input(tmp_path / "in" / "_hidden.parquet", texts, with_ids=False)
    source = open_source(TASK, tmp_path / "in")
    assert source.count() == 30
    puzzles = []
    rows = []
    for block in source.blocks():
        puzzles += block["puzzle"].to_pylist()
        rows += block["row"].to_pylist()
    assert puzzles == texts
    assert rows == list(range(30))


def test_blocks_are_bounded(tmp_path: Path) -> None:
    path = write_input(tmp_path / "in.parquet", puzzle_texts(1) * 3000)
    sizes = [len(block) for block in open_source(TASK, path).blocks()]
    assert max(sizes) <= BLOCK_ROWS
    assert sum(sizes) == 3000


def test_known_answers_are_compared(tmp_path: Path) -> None:
    texts = puzzle_texts(2)
    tokens = [TASK.puzzle(text).tokens.tolist() for text in texts]
    path = tmp_path / "in.parquet"
    labels = [tokens[0], [2] * 81]
    pq.write_table(pa.table({"tokens": tokens, "labels": labels}), path)
    assert answers_to(path)["correct"].to_pylist() == [True, False]


def test_files_with_other_columns_are_refused(tmp_path: Path) -> None:
    write_input(tmp_path / "a.parquet", puzzle_texts(1))
    write_input(tmp_path / "b.parquet", puzzle_texts(1), with_ids=False)
    with pytest.raises(PuzzleError, match=r"b\.parquet has other columns than .*a\.parquet"):
        open_source(TASK, tmp_path)


# --- damaged files -----------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [3, 4, 11, 100, -1, -4, -9])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, kept: int) -> None:
    path = write_input(tmp_path / "in.parquet", puzzle_texts(20))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(PuzzleError, match=r"Parquet|does not hold|characters"):
        list(ParquetSource(path).blocks())


def test_a_footer_that_is_longer_than_the_file_is_refused(tmp_path: Path) -> None:
    path = write_input(tmp_path / "in.parquet", puzzle_texts(20))
    content = path.read_bytes()
    path.write_bytes(content[:-8] + (0x7FFFFFFF).to_bytes(4, "little") + b"PAR1")
    with pytest.raises(PuzzleError, match="its footer is said to have 2,147,483,647 bytes"):
        open_source(TASK, path)


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    path = write_input(tmp_path / "in.parquet", puzzle_texts(50))
    content = path.read_bytes()
    numbers = random.Random(7)
    refused = 0
    for _ in range(150):
        damaged = bytearray(content)
        for _ in range(3):
            damaged[numbers.randrange(4, len(content))] = numbers.randrange(256)
        path.write_bytes(damaged)
        try:
            list(open_source(TASK, path).blocks())
        except PuzzleError:
            refused += 1
    assert refused


def test_a_row_group_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_file, "MOST_COLUMN_BYTES", 1000)
    path = write_input(tmp_path / "in.parquet", puzzle_texts(200))
    with pytest.raises(PuzzleError, match=r"bytes of its column puzzle in one row group.*smaller"):
        open_source(TASK, path)
    pq.write_table(pq.read_table(path), path, row_group_size=5)
    assert open_source(TASK, path).count() == 200
