from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from tests.batch.runs import TASK, puzzle_texts
from trm_edge.batch.row_feed import MOST_EMPTY, OpenBlock, RowFeed
from trm_edge.batch.rows import row_table
from trm_edge.errors import PuzzleError
from trm_edge.loop.solution import Solution

GOOD = puzzle_texts(1)[0]
ZEROS = np.zeros(1, np.float32)
SOLUTION = Solution(0, np.zeros(81, np.int32), 1, True, ZEROS, ZEROS)


def block(first_row: int, *texts: str) -> pa.Table:
    return row_table(first_row, len(texts), {"puzzle": list(texts)})


def take_all(feed: RowFeed) -> int:
    """Take puzzles until there is none for now."""
    count = 0
    while feed.take() is not None:
        count += 1
    return count


def rows_done(feed: RowFeed) -> list[list[int]]:
    return [opened.rows["row"].to_pylist() for opened in feed.done()]


def test_a_row_of_a_file_with_lines_names_its_line() -> None:
    rows = row_table(0, 2, {"puzzle": ["short", "short"], "line": [None, 12]})
    opened = OpenBlock(TASK, rows)
    reason = "expected 81 characters, but got 5"
    assert opened.results == [reason, f"line 12: {reason}"]
    assert opened.entries == [None, None]
    assert opened.is_empty
    assert opened.is_done


def test_a_block_is_done_with_its_last_result() -> None:
    opened = OpenBlock(TASK, block(0, GOOD, "short", GOOD))
    done = []
    for place, result in ((2, SOLUTION), (0, "the engine failed")):
        opened.put(place, result)
        done.append(opened.is_done)
    assert done == [False, True]
    assert not opened.is_empty
    assert opened.results[0] == "the engine failed"
    assert opened.results[2] is SOLUTION


def test_a_block_is_opened_when_the_last_one_is_taken() -> None:
    opened = 0

    def blocks() -> Iterator[pa.Table]:
        nonlocal opened
        for number in range(3):
            opened += 1
            yield block(2 * number, GOOD, GOOD)

    feed = RowFeed(TASK, blocks())
    assert opened == 0
    for taken, expected in enumerate([1, 1, 2, 2, 3, 3], 1):
        assert feed.take() is not None
        assert opened == expected
        assert len(feed.in_flight) == taken
    assert feed.take() is None
    assert not feed.is_exhausted  # solutions are to come


def test_blocks_are_handed_out_in_the_order_of_the_rows() -> None:
    feed = RowFeed(TASK, iter([block(0, GOOD, GOOD), block(2, GOOD)]))
    assert take_all(feed) == 3
    late, *_, early = list(feed.in_flight)
    early.finish(SOLUTION)
    assert rows_done(feed) == []
    feed.in_flight.remove(early)
    feed.finish(SOLUTION)
    assert rows_done(feed) == []
    feed.finish(SOLUTION)
    assert rows_done(feed) == [[0, 1], [2]]
    assert feed.is_exhausted
    assert late is not early


def test_blocks_without_a_puzzle_do_not_pile_up() -> None:
    """Their answers are handed out before more are opened, however many there are."""
    opened = 0

    def blocks() -> Iterator[pa.Table]:
        nonlocal opened
        for number in range(3 * MOST_EMPTY):
            opened += 1
            yield block(number, "short")
        yield block(3 * MOST_EMPTY, GOOD)

    feed = RowFeed(TASK, blocks())
    done = 0
    while not feed.is_exhausted:
        if feed.take() is not None:
            feed.finish(SOLUTION)
        assert opened - done <= MOST_EMPTY
        done += len(rows_done(feed))
    done += len(rows_done(feed))
    assert done == 3 * MOST_EMPTY + 1


def test_an_empty_block_is_passed_over() -> None:
    feed = RowFeed(TASK, iter([block(0), block(0, GOOD), block(1)]))
    assert take_all(feed) == 1
    feed.finish(SOLUTION)
    assert rows_done(feed) == [[], [0], []]
    assert feed.is_exhausted


def test_an_input_that_fails_ends_after_what_was_read() -> None:
    def blocks() -> Iterator[pa.Table]:
        yield block(0, GOOD)
        raise PuzzleError("in.parquet is damaged.")

    feed = RowFeed(TASK, blocks())
    assert take_all(feed) == 1
    feed.finish(SOLUTION)
    assert rows_done(feed) == [[0]]
    assert feed.is_exhausted
    assert feed.take() is None  # the input is not asked again
    with pytest.raises(PuzzleError, match="is damaged"):
        feed.check()


def test_an_input_that_ends_is_no_error() -> None:
    feed = RowFeed(TASK, iter([]))
    assert not feed.wait()
    assert feed.is_exhausted
    feed.check()
