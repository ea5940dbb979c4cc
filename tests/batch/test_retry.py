from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.batch.runs import MAKER, puzzle_texts, read_folder, solve_blocks
from trm_edge.batch.answers import failed_answers
from trm_edge.batch.finished import FinishedRows
from trm_edge.batch.output_folder import OutputFolder
from trm_edge.batch.retry import FailedRows
from trm_edge.batch.rows import row_table
from trm_edge.errors import OutputError

TEXTS = puzzle_texts(12)


@pytest.fixture
def folder(tmp_path: Path) -> OutputFolder:
    """Three parts of four rows each, all of which have failed."""
    folder = OutputFolder(tmp_path)
    for first_row in (0, 4, 8):
        folder.append(failed_answers(rows(first_row, 4), "out of memory", MAKER.bundle))
    return folder


def rows(first_row: int, count: int) -> pa.Table:
    return row_table(first_row, count, {"puzzle": TEXTS[first_row : first_row + count]})


def solved(*numbers: int) -> pa.Table:
    """Answers to some rows, in this order."""
    (answers,) = solve_blocks([rows(0, 12)])
    return answers.take(list(numbers))


def outcomes(folder: OutputFolder) -> list[str]:
    answers = read_folder(folder.path)
    assert answers["row"].to_pylist() == list(range(12))
    result: list[str] = answers["outcome"].to_pylist()
    return result


def test_rows_of_several_parts_are_replaced_in_any_order(folder: OutputFolder) -> None:
    finished = FinishedRows.read(folder)
    FailedRows(folder, finished).replace(solved(9, 1, 8, 2))
    expected = ["failed"] * 12
    for number in (1, 2, 8, 9):
        expected[number] = "answered"
    assert outcomes(folder) == expected
    assert (finished.tally.rows, finished.tally.failed) == (12, 8)
    assert finished.tally == FinishedRows.read(folder).tally


def test_parts_without_a_new_answer_are_left_alone(folder: OutputFolder) -> None:
    before = [path.read_bytes() for path in folder.parts()]
    FailedRows(folder, FinishedRows.read(folder)).replace(solved(5))
    after = [path.read_bytes() for path in folder.parts()]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, True]


def test_the_same_part_is_replaced_again_and_again(folder: OutputFolder) -> None:
    finished = FinishedRows.read(folder)
    failed = FailedRows(folder, finished)
    for number in (0, 3, 1, 2):
        failed.replace(solved(number))
    assert outcomes(folder)[:4] == ["answered"] * 4
    assert finished.tally.failed == 8
    assert np.array_equal(finished.failed, np.arange(12))  # those that failed before this call


def test_a_row_that_fails_again_stays_failed_with_its_new_reason(folder: OutputFolder) -> None:
    finished = FinishedRows.read(folder)
    again = failed_answers(rows(4, 1), "an illegal memory access", MAKER.bundle)
    FailedRows(folder, finished).replace(again)
    assert finished.tally.failed == 12
    errors = read_folder(folder.path)["error"].to_pylist()
    assert errors[3:6] == ["out of memory", "an illegal memory access", "out of memory"]


def test_a_part_that_cannot_be_written_is_as_before(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = FinishedRows.read(folder)
    write = OutputFolder.write

    def full(self: OutputFolder, path: Path, answers: pa.Table) -> None:
        if path == folder.parts()[1]:
            raise OutputError("cannot write: No space left on device.")
        write(self, path, answers)

    monkeypatch.setattr(OutputFolder, "write", full)
    with pytest.raises(OutputError, match="No space left"):
        FailedRows(folder, finished).replace(solved(0, 4, 8))
    assert outcomes(folder) == ["answered", *["failed"] * 11]
    assert finished.tally == FinishedRows.read(folder).tally
