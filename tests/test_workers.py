"""What workers of pytest-xdist share, and what they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workers import cores_of_worker, shared_folder


def test_every_core_goes_to_one_worker() -> None:
    assert [cores_of_worker([0, 1], index, 2) for index in range(2)] == [{0}, {1}]
    assert [cores_of_worker([2, 3, 6], index, 2) for index in range(2)] == [{2, 6}, {3}]


def test_more_workers_than_cores() -> None:
    assert [cores_of_worker([4, 5], index, 3) for index in range(3)] == [{4}, {5}, {4}]


@pytest.fixture
def calls() -> list[Path]:
    return []


def test_a_shared_folder_is_filled_once(
    tmp_path_factory: pytest.TempPathFactory, calls: list[Path]
) -> None:
    folders = {shared_folder(tmp_path_factory, "filled-once", calls.append) for _ in range(2)}
    assert folders == set(calls)
    assert len(calls) == 1


def test_a_folder_that_could_not_be_filled_is_tried_again(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        shared_folder(tmp_path_factory, "tried-again", fail)
    folder = shared_folder(tmp_path_factory, "tried-again", lambda folder: folder / "whole")
    assert not list(folder.iterdir())
