"""Runs and their faults: killed, another run's folder, failed rows, a damaged input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from tests.batch import runs
from tests.batch.killed_runs import MOMENTS
from tests.batch.runs import (
    POISON,
    PoisonBackend,
    parts_of,
    puzzle_texts,
    read_folder,
    run_in,
    write_input,
)
from trm_edge.backends.base import HaltingLogits
from trm_edge.backends.fake import FakeBackend
from trm_edge.batch.output_folder import OutputFolder
from trm_edge.batch.source import BLOCK_ROWS
from trm_edge.errors import OutputError, OutputExistsError, PuzzleError

ROOT = Path(__file__).parents[2]


def test_every_row_is_answered_once_in_parts(tmp_path: Path) -> None:
    texts = puzzle_texts(200)
    result = run_in(tmp_path / "out.parquet", write_input(tmp_path / "in.parquet", texts))
    answers = read_folder(tmp_path / "out.parquet")
    assert answers["row"].to_pylist() == list(range(200))
    assert answers["id"].to_pylist() == [f"p{number}" for number in range(200)]
    assert answers["answer"].to_pylist() == texts
    assert len(list(parts_of(tmp_path / "out.parquet"))) > 2
    assert (result.solved, result.tally.rows, result.tally.failed) == (200, 200, 0)


def test_a_run_that_is_done_solves_nothing(tmp_path: Path) -> None:
    source = write_input(tmp_path / "in.parquet", puzzle_texts(50))
    run_in(tmp_path / "out.parquet", source)
    before = {path: path.stat().st_mtime_ns for path in parts_of(tmp_path / "out.parquet")}
    result = run_in(tmp_path / "out.parquet", source)
    assert (result.solved, result.tally.rows) == (0, 50)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_rows_of_a_deleted_part_are_solved_again(tmp_path: Path) -> None:
    source = write_input(tmp_path / "in.parquet", puzzle_texts(150))
    run_in(tmp_path / "out.parquet", source)
    expected = read_folder(tmp_path / "out.parquet")
    next(parts_of(tmp_path / "out.parquet")).unlink()
    run_in(tmp_path / "out.parquet", source)
    assert read_folder(tmp_path / "out.parquet").equals(expected)


def test_other_readers_see_answers_alone(tmp_path: Path) -> None:
    source = write_input(tmp_path / "in.parquet", puzzle_texts(50))
    folder = tmp_path / "out.parquet"
    run_in(folder, source)
    (folder / ".rows-1-2.parquet.trm-edge-1-ab-cd").write_bytes(b"half")
    assert pq.read_table(folder).num_rows == 50
    run_in(folder, source)
    assert [path.name for path in folder.glob(".*")] == [".lock"]


def test_pandas_reads_the_folder(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    run_in(tmp_path / "out.parquet", write_input(tmp_path / "in.parquet", puzzle_texts(50)))
    frame = pandas.read_parquet(tmp_path / "out.parquet")
    assert sorted(frame["row"]) == list(range(50))


# --- failed rows -------------------------------------------------------------------------------


def test_failed_rows_are_solved_again_on_request_alone(tmp_path: Path) -> None:
    texts = puzzle_texts(150)
    texts[3] = texts[77] = texts[149] = POISON
    source = write_input(tmp_path / "in.parquet", texts)
    folder = tmp_path / "out.parquet"
    assert run_in(folder, source, backend=PoisonBackend()).tally.failed == 3
    assert run_in(folder, source).tally.failed == 3
    result = run_in(folder, source, retry_failed=True)
    assert (result.solved, result.tally.failed, result.tally.rows) == (3, 0, 150)
    run_in(tmp_path / "expected.parquet", source)
    assert read_folder(folder).equals(read_folder(tmp_path / "expected.parquet"))


def test_rows_that_fail_again_keep_their_reason(tmp_path: Path) -> None:
    source = write_input(tmp_path / "in.parquet", [*puzzle_texts(3), "no puzzle"])
    folder = tmp_path / "out.parquet"
    run_in(folder, source)
    result = run_in(folder, source, retry_failed=True)
    assert (result.solved, result.tally.failed, result.tally.rows) == (1, 1, 4)
    assert read_folder(folder)["error"].to_pylist()[3].startswith("expected 81 characters")


def test_failed_rows_of_parts_in_any_order_are_replaced(tmp_path: Path) -> None:
    """Other writers of a run put any rows into any part."""
    texts = puzzle_texts(60)
    texts[5] = texts[6] = texts[50] = POISON
    source = write_input(tmp_path / "in.parquet", texts)
    folder = tmp_path / "out.parquet"
    run_in(folder, source, backend=PoisonBackend())
    answers = read_folder(folder)
    for path in parts_of(folder):
        path.unlink()
    for number in range(3):
        rows = [row for row in reversed(range(60)) if row % 3 == number]
        pq.write_table(answers.take(rows), folder / f"part-{number}.parquet")
    result = run_in(folder, source, retry_failed=True)
    assert result.tally.failed == 0
    run_in(tmp_path / "expected.parquet", source)
    assert read_folder(folder).equals(read_folder(tmp_path / "expected.parquet"))


# --- killed ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["solve", "retry"])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_any_moment_and_started_again(tmp_path: Path, kind: str) -> None:
    program = [sys.executable, "-m", "tests.batch.killed_runs", str(tmp_path), kind]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == MOMENTS
    for result in results:
        assert result["killed"], result
        assert result["rows"] == result["distinct"], result
        assert result["again"] == 0, done.stderr
        assert result["same"], result
        assert result["hidden"] == [".lock"], result
    if kind == "retry":  # no row is missing at any moment
        assert {result["rows"] for result in results} == {results[0]["rows"]}
    else:
        assert len({result["rows"] for result in results}) > 2


# --- other runs --------------------------------------------------------------------------------


def test_other_settings_are_refused_with_every_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_input(tmp_path / "in.parquet", puzzle_texts(10))
    run_in(tmp_path / "out.parquet", source)
    other = replace(runs.SETTINGS, bundle="c" * 64, rollouts=8, only_valid=True, version="2")
    monkeypatch.setattr(runs, "SETTINGS", other)
    with pytest.raises(OutputExistsError) as caught:
        run_in(tmp_path / "out.parquet", source)
    message = str(caught.value)
    for difference in (
        "the version of trm-edge was 1 and is 2",
        "the bundle (sha256 of its manifest) was bbbbbbbbbbbb… and is cccccccccccc…",
        "--rollouts was 1 and is 8",
        "--only-valid was off and is on",
    ):
        assert difference in message
    assert "--answer-if" not in message


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    source = write_input(tmp_path / "in.parquet", puzzle_texts(10))
    folder = tmp_path / "mine.parquet"
    folder.mkdir()
    (folder / "part-0.parquet").write_bytes(b"mine")
    with pytest.raises(OutputExistsError, match=r"is not a run of trm-edge solve"):
        run_in(folder, source)
    assert [path.name for path in folder.iterdir()] == ["part-0.parquet"]


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    source = write_input(tmp_path / "in.parquet", puzzle_texts(10))
    folder = tmp_path / "out.parquet"
    with OutputFolder(folder).locked():
        with pytest.raises(OutputError, match="another process is at work"):
            run_in(folder, source)
        assert folder.exists()
    assert not folder.exists()  # nothing was begun
    run_in(folder, source)


def test_a_row_in_two_parts_is_refused(tmp_path: Path) -> None:
    source = write_input(tmp_path / "in.parquet", puzzle_texts(10))
    folder = tmp_path / "out.parquet"
    run_in(folder, source)
    pq.write_table(read_folder(folder).slice(3, 2), folder / "copy.parquet")
    with pytest.raises(OutputError, match=r"holds row [34], which stands in the answers already"):
        run_in(folder, source)


@pytest.mark.parametrize("content", ["cut", "foreign"])
def test_a_part_that_is_damaged_or_foreign_is_named(tmp_path: Path, content: str) -> None:
    source = write_input(tmp_path / "in.parquet", puzzle_texts(10))
    folder = tmp_path / "out.parquet"
    run_in(folder, source)
    (part,) = parts_of(folder)
    if content == "cut":
        part.write_bytes(part.read_bytes()[:-20])
        message = "delete it: its rows are solved again"
    else:
        pq.write_table(pa.table({"row": [1]}), folder / "foreign.parquet")
        message = r"foreign\.parquet has no column id, so it is not a part"
    with pytest.raises(OutputError, match=message):
        run_in(folder, source)


def test_an_input_that_is_damaged_on_the_way_keeps_what_was_solved(tmp_path: Path) -> None:
    source = tmp_path / "in.parquet"
    pq.write_table(pa.table({"puzzle": puzzle_texts(3300)}), source, row_group_size=1100)
    column = pq.read_metadata(source).row_group(2).column(0)
    content = bytearray(source.read_bytes())
    place = column.dictionary_page_offset
    content[place : place + 64] = b"\xff" * 64
    source.write_bytes(content)
    with pytest.raises(PuzzleError, match=r"cannot read .*as Parquet"):
        run_in(tmp_path / "out.parquet", source)
    rows = read_folder(tmp_path / "out.parquet")["row"].to_pylist()
    assert rows == list(range(len(rows)))
    assert len(rows) >= 2 * BLOCK_ROWS


@pytest.mark.parametrize("retry", [False, True])
def test_an_input_that_changes_while_it_is_read_ends_the_run(tmp_path: Path, retry: bool) -> None:
    """Only answers to what was hashed are written, and the run goes on with it."""
    texts = puzzle_texts(150)
    source = tmp_path / "in.csv"
    content = "\n".join(["puzzle", *texts])
    source.write_text(content)
    folder = tmp_path / "out.parquet"
    rewritten = False

    class Rewriting(FakeBackend):
        def step(
            self,
            tokens: NDArray[np.int32],
            puzzle_embedding: NDArray[np.float32] | None,
            reset: NDArray[np.bool_],
        ) -> HaltingLogits:
            nonlocal rewritten
            if not rewritten and (retry or list(parts_of(folder))):
                source.write_text("\n".join(["puzzle", *puzzle_texts(151, seed=1)]))
                rewritten = True
            return super().step(tokens, puzzle_embedding, reset)

    if retry:
        texts[7] = texts[9] = POISON
        content = "\n".join(["puzzle", *texts])
        source.write_text(content)
        run_in(folder, source, backend=PoisonBackend())
    with pytest.raises(PuzzleError, match=r"in\.csv was changed .* the same command goes on"):
        run_in(folder, source, backend=Rewriting(), retry_failed=retry)
    answers = read_folder(folder)
    assert len(answers) > 0
    for row, answer in zip(answers["row"].to_pylist(), answers["answer"].to_pylist(), strict=True):
        assert answer in (texts[row], None)
    source.write_text(content)
    run_in(folder, source, retry_failed=retry)
    assert read_folder(folder)["answer"].to_pylist() == texts
