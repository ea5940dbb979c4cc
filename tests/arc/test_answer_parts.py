"""Answers on disk: parts that fill up, whatever interrupts a write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.arc.failing_writes import failing_writes
from trm_edge.arc import answer_parts
from trm_edge.arc.answer_parts import AnswerParts, StoredAnswers, part_paths
from trm_edge.arc.encoding import encode
from trm_edge.arc.predictions import Predictions
from trm_edge.errors import OutputError


@pytest.fixture(autouse=True)
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_parts, "PART_ROWS", 10)


def answers(first: int, stop: int) -> Predictions:
    """Answers whose identifiers are their numbers."""
    identifiers = np.arange(first, stop)
    tokens = np.tile(encode(np.array([[1, 2]], np.uint8)), (len(identifiers), 1))
    return Predictions(identifiers, tokens, tokens, np.zeros(len(identifiers)))


def stored(folder: Path) -> list[int]:
    """The numbers of all answers, in the order of the parts."""
    numbers: list[int] = []
    for part in AnswerParts(folder).stored():
        numbers += part.identifiers.tolist()
    return numbers


def fill(folder: Path, count: int) -> None:
    AnswerParts(folder).append(answers(0, count), 0)


def test_parts_fill_up(tmp_path: Path) -> None:
    parts = AnswerParts(tmp_path)
    end = 0
    for count in (4, 6, 0, 25):
        parts.append(answers(end, end + count), end)
        end += count
    assert [path.name for path in part_paths(tmp_path)] == [
        f"predictions-0000{number}.npz" for number in (1, 2, 3, 4)
    ]
    again = AnswerParts(tmp_path)
    assert again.count() == 35
    assert [len(part) for part in again.stored()] == [10, 10, 10, 5]
    again.append(answers(35, 38), 35)
    assert AnswerParts(tmp_path).count() == 38
    assert stored(tmp_path) == list(range(38))


@pytest.mark.parametrize("count", [10, 13, 20])
def test_stored_answers_are_taken_in_pieces(count: int, tmp_path: Path) -> None:
    fill(tmp_path, count)
    rest = StoredAnswers(AnswerParts(tmp_path))
    taken: list[int] = []
    sizes = []
    while not rest.is_empty:
        before = len(taken)
        for piece in rest.take(8):
            taken += piece.identifiers.tolist()
        sizes.append(len(taken) - before)
    assert taken == list(range(count))
    assert sizes == [8] * (count // 8) + [count % 8]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OutputError("the disk is full.")])
@pytest.mark.parametrize("is_written", [False, True])
@pytest.mark.parametrize("first", [1, 2, 3])
def test_a_write_that_failed_is_made_again(
    error: BaseException, is_written: bool, first: int, tmp_path: Path
) -> None:
    """The write fails in the part that was begun, the one after it or the last one."""
    parts = AnswerParts(tmp_path)
    parts.append(answers(0, 4), 0)
    failing = failing_writes(error, first, is_written=is_written)
    with failing, pytest.raises(type(error)):
        parts.append(answers(4, 27), 4)
    assert stored(tmp_path) == list(range((4, 10, 20, 27)[first - 1 + is_written]))
    # The second try may have more to write.
    parts.append(answers(4, 31), 4)
    assert [len(part) for part in AnswerParts(tmp_path).stored()] == [10, 10, 10, 1]
    assert stored(tmp_path) == list(range(31))


def test_a_part_that_is_missing_is_named(tmp_path: Path) -> None:
    fill(tmp_path, 35)
    (tmp_path / "predictions-00002.npz").unlink()
    with pytest.raises(OutputError, match=r"predictions-00002\.npz is missing.* delete the parts"):
        stored(tmp_path)
    remove_parts(tmp_path, after=2)
    assert stored(tmp_path) == list(range(10))


def test_a_part_that_was_shortened_is_not_called_missing(tmp_path: Path) -> None:
    fill(tmp_path, 35)
    answers(10, 17).write(tmp_path / "predictions-00002.npz")
    message = r"predictions-00002\.npz has 7 of 10 answers, but .* or delete the parts after it"
    with pytest.raises(OutputError, match=message) as raised:
        stored(tmp_path)
    assert "missing" not in str(raised.value)
    remove_parts(tmp_path, after=2)
    assert stored(tmp_path) == list(range(17))


def test_a_part_with_too_many_rows_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, 13)
    answers(10, 22).write(tmp_path / "predictions-00002.npz")
    message = r"predictions-00002\.npz has 12 answers, and a part has 10 .* delete it and the parts"
    with pytest.raises(OutputError, match=message):
        stored(tmp_path)
    remove_parts(tmp_path, after=1)
    assert stored(tmp_path) == list(range(10))


def remove_parts(folder: Path, after: int) -> None:
    """What the messages advise."""
    for path in part_paths(folder):
        if path.name > f"predictions-{after:05d}.npz":
            path.unlink()


@pytest.mark.parametrize("name", ["predictions-00001 (copy).npz", "predictions-old.npz"])
def test_a_copy_beside_the_parts_is_no_part(name: str, tmp_path: Path) -> None:
    fill(tmp_path, 13)
    answers(0, 3).write(tmp_path / name)
    assert stored(tmp_path) == list(range(13))
    assert AnswerParts(tmp_path).count() == 13
