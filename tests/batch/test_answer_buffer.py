from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from tests.batch.runs import TASK
from trm_edge.batch.answer_buffer import AnswerBuffer, checked_buffer
from trm_edge.batch.open_source import open_source
from trm_edge.errors import BackendError, OutputError, PuzzleError


def rows(first: int, count: int) -> pa.Table:
    return pa.table({"row": pa.array(range(first, first + count), pa.int64())})


class Written(list[list[int]]):
    """Rows of each table that was handed on.

    Args:
        fails_at: number of the table that cannot be written, from 1; 0: none.
    """

    def __init__(self, fails_at: int = 0) -> None:
        super().__init__()
        self._fails_at = fails_at

    def write(self, answers: pa.Table) -> None:
        self._fails_at -= 1
        if self._fails_at == 0:
            raise OutputError("cannot write: No space left on device.")
        self.append(answers["row"].to_pylist())


def test_tables_are_of_equal_size_but_the_last() -> None:
    written = Written()
    buffer = AnswerBuffer(written.write, rows=10, seconds=1e9)
    buffer.add(rows(0, 3))
    assert written == []
    buffer.add(rows(3, 25))
    assert written == [list(range(10)), list(range(10, 20))]
    buffer.flush()
    buffer.flush()
    assert written[2:] == [list(range(20, 28))]


def test_exactly_as_many_rows_as_a_table_takes_leave_nothing() -> None:
    written = Written()
    buffer = AnswerBuffer(written.write, rows=4, seconds=1e9)
    buffer.add(rows(0, 4))
    buffer.flush()
    assert written == [[0, 1, 2, 3]]


def test_answers_are_handed_on_when_it_is_time() -> None:
    written = Written()
    buffer = AnswerBuffer(written.write, rows=1000, seconds=0)
    buffer.add(rows(0, 3))
    buffer.add(rows(3, 0))
    buffer.add(rows(3, 1))
    assert written == [[0, 1, 2], [3]]


def test_answers_that_could_not_be_written_are_not_written_again() -> None:
    written = Written(fails_at=2)
    buffer = AnswerBuffer(written.write, rows=2, seconds=1e9)
    with pytest.raises(OutputError, match="No space left"):
        buffer.add(rows(0, 5))
    buffer.flush()
    assert written == [[0, 1], [4]]


def test_the_end_of_a_block_hands_the_rest_on() -> None:
    written = Written()
    buffer = AnswerBuffer(written.write)
    with buffer.flushed():
        buffer.add(rows(0, 3))
    assert written == [[0, 1, 2]]


@pytest.mark.parametrize("error", [PuzzleError, KeyboardInterrupt])
def test_an_error_in_a_block_keeps_what_was_solved(error: type[BaseException]) -> None:
    written = Written()
    buffer = AnswerBuffer(written.write)

    def solve() -> None:
        with buffer.flushed():
            buffer.add(rows(0, 3))
            raise error

    with pytest.raises(error):
        solve()
    assert written == [[0, 1, 2]]


def test_nothing_is_written_after_a_write_that_failed() -> None:
    written = Written(fails_at=1)
    buffer = AnswerBuffer(written.write, rows=2, seconds=1e9)
    with pytest.raises(OutputError), buffer.flushed():
        buffer.add(rows(0, 3))
    assert written == []


def test_an_error_is_not_replaced_by_one_of_writing_what_was_solved(
    caplog: pytest.LogCaptureFixture,
) -> None:
    buffer = AnswerBuffer(Written(fails_at=1).write)

    def solve() -> None:
        with buffer.flushed():
            buffer.add(rows(0, 3))
            raise BackendError("the engine is gone.")

    with pytest.raises(BackendError, match="the engine is gone"):
        solve()
    assert "No space left on device" in caplog.text


def test_nothing_is_written_where_the_input_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("puzzle\n12\n")
    source = open_source(TASK, path)
    source.sha256()
    written = Written()
    buffer = checked_buffer(source, written.write, rows=2)
    buffer.add(rows(0, 2))
    path.write_text("puzzle\n123\n")
    with pytest.raises(PuzzleError, match=r"in\.csv was changed"), buffer.flushed():
        buffer.add(rows(2, 3))
    assert written == [[0, 1]]
