"""What a killed run with Ray leaves in its folder."""

from __future__ import annotations

from pathlib import Path

from trm_edge.batch.pending_parts import (
    marks_folder,
    remove_pending_parts,
    remove_unmarked_parts,
)


def write(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    return path


def test_a_pending_part_goes_with_its_mark(tmp_path: Path) -> None:
    cut_off = write(tmp_path / "rows-ab-00000001-0.parquet")
    second = write(tmp_path / "rows-ab-00000001-1.parquet")
    whole = write(tmp_path / "rows-ab-00000002-0.parquet")
    of_one_process = write(tmp_path / "rows-000000000000-000000000399.parquet")
    mark = write(marks_folder(tmp_path) / "rows-ab-00000001.pending.parquet")
    committed = write(marks_folder(tmp_path) / "rows-ab-00000002.parquet")
    assert remove_pending_parts(tmp_path) == 1
    assert not cut_off.exists()
    assert not second.exists()
    assert not mark.exists()
    assert whole.exists()
    assert of_one_process.exists()
    assert committed.exists()
    assert remove_pending_parts(tmp_path) == 0


def test_a_mark_without_its_part_goes_alone(tmp_path: Path) -> None:
    write(marks_folder(tmp_path) / "rows-ab-00000001.pending.parquet")
    whole = write(tmp_path / "rows-ab-00000002-0.parquet")
    assert remove_pending_parts(tmp_path) == 1
    assert whole.exists()


def test_a_folder_without_marks_stays_as_it_is(tmp_path: Path) -> None:
    part = write(tmp_path / "rows-000000000000-000000000399.parquet")
    assert remove_pending_parts(tmp_path) == 0
    assert part.exists()


def test_a_part_that_came_late_from_a_killed_run_is_removed(tmp_path: Path) -> None:
    before = write(tmp_path / "rows-000000000000-000000000399.parquet")
    late = write(tmp_path / "rows-ab-00000007-0.parquet")
    of_this_run = write(tmp_path / "rows-cd-00000000-0.parquet")
    write(marks_folder(tmp_path) / "rows-cd-00000000.parquet")
    assert remove_unmarked_parts(tmp_path, [before]) == 1
    assert not late.exists()
    assert before.exists()
    assert of_this_run.exists()
