from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from tests.batch.runs import MAKER, POISON, PoisonBackend, puzzle_texts, solve_blocks
from trm_edge.backends.fake import FakeBackend
from trm_edge.batch.answers import ANSWER_SCHEMA
from trm_edge.batch.block_loop import MOST_FAILURES, BlockLoop
from trm_edge.batch.row_feed import MOST_EMPTY
from trm_edge.batch.rows import row_table
from trm_edge.errors import BackendError, PuzzleError
from trm_edge.loop.solver import Solver


def block_of(texts: list[str], first_row: int = 0) -> pa.Table:
    return row_table(first_row, len(texts), {"puzzle": texts})


def test_each_block_has_its_answers_in_order() -> None:
    texts = puzzle_texts(30)
    blocks = [block_of(texts[:20]), block_of(texts[20:], 20)]
    answers = solve_blocks(blocks)
    assert [len(table) for table in answers] == [20, 10]
    for table, block in zip(answers, blocks, strict=True):
        assert table.schema.equals(ANSWER_SCHEMA, check_metadata=True)
        assert table["row"].equals(block["row"])
        assert table["answer"].to_pylist() == block["puzzle"].to_pylist()  # what the fake says


def test_slots_are_refilled_across_blocks() -> None:
    texts = puzzle_texts(64)
    whole = FakeBackend()
    solve_blocks([block_of(texts)], whole)
    parts = FakeBackend()
    solve_blocks([block_of(texts[start : start + 8], start) for start in range(0, 64, 8)], parts)
    assert parts.steps_run == whole.steps_run


def test_bad_rows_fail_and_take_no_other_along() -> None:
    texts = puzzle_texts(3)
    (answers,) = solve_blocks([block_of([texts[0], "nothing", *texts[1:]])])
    assert answers["outcome"].to_pylist() == ["answered", "failed", "answered", "answered"]
    assert answers["error"].to_pylist()[1] == "expected 81 characters, but got 7"
    failed = answers.to_pylist()[1]
    assert failed["answer"] is None
    assert failed["steps"] is None
    assert failed["bundle"] == "b" * 64


def test_a_puzzle_that_the_engine_fails_on_is_found_among_the_others() -> None:
    texts = puzzle_texts(40)
    texts[13] = POISON
    texts[29] = POISON
    (answers,) = solve_blocks([block_of(texts)], PoisonBackend())
    failed = [row for row in answers.to_pylist() if row["outcome"] == "failed"]
    assert [row["row"] for row in failed] == [13, 29]
    assert failed[0]["error"] == "the engine failed: an illegal memory access."
    (expected,) = solve_blocks([block_of(texts)], PoisonBackend(fails=False))
    solved = [number for number in range(40) if number not in (13, 29)]
    assert answers.take(solved).equals(expected.take(solved))


def test_an_engine_that_fails_on_everything_ends_the_run() -> None:
    with pytest.raises(BackendError, match=f"failed on {MOST_FAILURES} puzzles one after another"):
        solve_blocks([block_of([POISON] * 20)], PoisonBackend())


def test_blocks_without_a_puzzle_are_answered_before_many_more_are_opened() -> None:
    opened = 0

    def blocks() -> Iterator[pa.Table]:
        nonlocal opened
        for number in range(100):
            opened += 1
            yield block_of(["no puzzle"], number)

    with Solver(FakeBackend(), batch=2) as solver:
        answers = BlockLoop(solver, MAKER).solve(blocks())
        next(answers)
        assert opened <= MOST_EMPTY
        assert sum(1 for _ in answers) == 99


def test_an_input_that_fails_is_answered_up_to_there() -> None:
    def blocks() -> Iterator[pa.Table]:
        yield block_of(puzzle_texts(10))
        raise PuzzleError("the file ends here.")

    answers = []
    with (
        Solver(FakeBackend(), batch=4) as solver,
        pytest.raises(PuzzleError, match="the file ends here"),
    ):
        answers.extend(BlockLoop(solver, MAKER).solve(blocks()))
    assert [len(table) for table in answers] == [10]
