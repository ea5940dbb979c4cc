"""What a killed run with Ray leaves in its folder."""

from __future__ import annotations

from pathlib import Path

from trm_edge.batch.pending_parts import marks_folder, part_name, remove_unfinished_parts

KILLED = "a" * 32
ENDED = "b" * 32


def write(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(b"")
    return path


def part(folder: Path, run: str, task: int, number: int = 0) -> Path:
    return write(folder, part_name(run, task).replace(".parquet", f"-{number}.parquet"))


def mark(folder: Path, run: str, task: int, *, pending: bool = False) -> Path:
    suffix = ".pending.parquet" if pending else ".parquet"
    return write(marks_folder(folder), part_name(run, task).replace(".parquet", suffix))


def test_a_pending_part_is_removed_and_all_others_stay(tmp_path: Path) -> None:
    cut_off = [part(tmp_path, KILLED, 1), part(tmp_path, KILLED, 1, 1)]
    pending = mark(tmp_path, KILLED, 1, pending=True)
    mark(tmp_path, KILLED, 2)
    whole = [
        part(tmp_path, KILLED, 2),
        part(tmp_path, ENDED, 1),
        write(tmp_path, "rows-000000000000-000000000399.parquet"),
    ]
    assert remove_unfinished_parts(tmp_path) == 2
    assert not pending.exists()
    assert not any(path.exists() for path in cut_off)
    assert all(path.exists() for path in whole)
    assert remove_unfinished_parts(tmp_path) == 0


def test_a_part_that_comes_after_its_mark_was_removed_goes_too(tmp_path: Path) -> None:
    mark(tmp_path, KILLED, 7, pending=True)
    assert remove_unfinished_parts(tmp_path) == 0
    late = part(tmp_path, KILLED, 7)
    assert remove_unfinished_parts(tmp_path) == 1
    assert not late.exists()


def test_a_folder_without_marks_stays_as_it_is(tmp_path: Path) -> None:
    whole = part(tmp_path, ENDED, 1)
    assert remove_unfinished_parts(tmp_path) == 0
    assert whole.exists()
