from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tests.batch.runs import TASK, puzzle_texts
from trm_edge.batch.entries import block_entries
from trm_edge.batch.rows import row_table
from trm_edge.tasks.entries import BadLine, Entry

TOKENS = [1] * 80 + [2]


def reasons(columns: dict[str, list[object]]) -> list[str | None]:
    count = len(next(iter(columns.values())))
    entries = block_entries(TASK, row_table(0, count, columns))
    return [entry.reason if isinstance(entry, BadLine) else None for entry in entries]


def test_text_is_parsed_as_the_task_does() -> None:
    texts = puzzle_texts(3)
    entries = block_entries(TASK, row_table(7, 3, {"puzzle": texts}))
    for entry, text in zip(entries, texts, strict=True):
        assert isinstance(entry, Entry)
        assert TASK.text(entry.puzzle.tokens) == text
    assert [entry.line for entry in entries] == [8, 9, 10]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("puzzle", "12", "expected 81 characters, but got 2"),
        ("puzzle", "", "expected 81 characters, but got 0"),
        ("puzzle", "x\ny", "expected one puzzle, but got 2"),
        ("puzzle", f"11{'.' * 79}", "row 1 is given 1 twice"),
        ("puzzle", "." * (1 << 21), "longer than 1,048,576 characters"),
        ("puzzle", None, "there is no puzzle in this row"),
        ("error", "was torn", "was torn"),
        ("tokens", [1, 2], "expected 81 token ids, but got 2"),
        ("tokens", [*TOKENS[:-1], 11], "token ids must lie in 0..10, but got 1..11"),
        ("tokens", [*TOKENS[:-1], None], "token ids must lie in 0..10, but got -1..1"),
        ("tokens", [*TOKENS[:-1], -100], "token ids must lie in 0..10, but got -100..1"),
        ("tokens", [*TOKENS[:-1], 2**62], f"token ids must lie in 0..10, but got 1..{2**62}"),
    ],
)
def test_a_row_that_is_no_puzzle_says_why(column: str, value: object, reason: str) -> None:
    assert reasons({column: [value]}) == [reason]


def test_rows_beside_a_bad_one_are_parsed() -> None:
    tokens = [TOKENS, [1], None, TOKENS]
    assert reasons({"tokens": tokens, "puzzle": [None, None, puzzle_texts(1)[0], None]}) == [
        None,
        "expected 81 token ids, but got 1",
        None,
        None,
    ]


def test_labels_and_identifiers_are_checked() -> None:
    labels = [[2] * 80 + [-100], [2] * 3, None]
    found = reasons({"tokens": [TOKENS] * 3, "labels": labels, "identifier": [0, 0, 1]})
    assert found == [
        None,
        "answer: expected 81 token ids, but got 3",
        "identifier must lie in 0..0, but got 1",
    ]


def test_ignored_cells_of_an_answer_are_zero() -> None:
    (entry,) = block_entries(
        TASK, row_table(0, 1, {"tokens": [TOKENS], "labels": [[2] * 80 + [-100]]})
    )
    assert isinstance(entry, Entry)
    assert entry.answer is not None
    assert entry.answer[-2:].tolist() == [2, 0]


def test_chunked_columns_are_read() -> None:
    halves = [row_table(0, 1, {"tokens": [TOKENS]}), row_table(1, 1, {"tokens": [TOKENS]})]
    entries = block_entries(TASK, pa.concat_tables(halves))
    for entry in entries:
        assert isinstance(entry, Entry)
        assert np.array_equal(entry.puzzle.tokens, TOKENS)
