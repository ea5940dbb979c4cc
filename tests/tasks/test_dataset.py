"""Dataset folders that are damaged, wide or huge: refused by name, before anything is allocated."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.toys import BASE
from trm_edge.errors import PuzzleError
from trm_edge.tasks.base import Entry
from trm_edge.tasks.dataset import is_folder
from trm_edge.tasks.tokens import TokenTask

TASK = TokenTask(BASE)  # 9 cells, ids 0..6, 3 identifiers
INPUTS = np.arange(36, dtype=np.int32).reshape(4, 9) % 7


def saved(array: NDArray[np.generic]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def npz(array: NDArray[np.generic]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, inputs=array)
    return buffer.getvalue()


def header(text: str, length: int | None = None) -> bytes:
    content = text.encode("latin-1")
    size = len(content) if length is None else length
    return b"\x93NUMPY\x02\x00" + size.to_bytes(4, "little") + content


def folder_of(tmp_path: Path, **files: bytes | NDArray[np.generic]) -> Path:
    for name, content in files.items():
        if isinstance(content, np.ndarray):
            content = saved(content)
        (tmp_path / f"all__{name}.npy").write_bytes(content)
    return tmp_path


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">i4", ">u8"])
def test_ids_of_every_type(dtype: str, tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path,
        inputs=INPUTS.astype(dtype),
        labels=INPUTS.astype(dtype),
        puzzle_identifiers=np.array([0, 2], dtype),
        puzzle_indices=np.array([0, 1, 4], dtype),
    )
    entries = [item for item in TASK.read(folder) if isinstance(item, Entry)]
    assert [entry.puzzle.identifier for entry in entries] == [0, 2, 2, 2]
    for entry, row in zip(entries, INPUTS, strict=True):
        assert entry.puzzle.tokens.dtype == np.int32
        np.testing.assert_array_equal(entry.puzzle.tokens, row)
        np.testing.assert_array_equal(entry.answer, row)


@pytest.mark.parametrize("value", [2**32, 2**32 + 1, 2**40, 2**63 - 1, 7])
@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
@pytest.mark.parametrize("name", ["inputs", "labels"])
def test_ids_outside_the_vocabulary_are_never_read_as_others(
    name: str, dtype: type, value: int, tmp_path: Path
) -> None:
    wide: NDArray[Any] = INPUTS.astype(dtype)
    wide[2, 3] = value
    folder = folder_of(tmp_path, **{"inputs": INPUTS, "labels": INPUTS, name: wide})
    with pytest.raises(PuzzleError, match=rf"{name}\.npy, row 3: token ids .* 0\.\.6, .*{value}"):
        list(TASK.read(folder))


def test_labels_that_the_loss_ignores(tmp_path: Path) -> None:
    labels = INPUTS.copy()
    labels[0, :3] = -100
    (first, *_) = TASK.read(folder_of(tmp_path, inputs=INPUTS, labels=labels))
    assert isinstance(first, Entry)
    assert first.answer is not None
    assert first.answer[:3].tolist() == [0, 0, 0]
    labels[0, 0] = -1
    with pytest.raises(PuzzleError, match=r"labels\.npy, row 1: token ids must lie in 0\.\.6"):
        list(TASK.read(folder_of(tmp_path, inputs=INPUTS, labels=labels)))


@pytest.mark.parametrize(
    "indices",
    [
        np.array([0, 10**9, 4]),
        np.array([0, 2**40, 4]),
        np.array([1, 2, 4]),
        np.array([-1, 2, 4]),
        np.array([0, -5, 4]),
        np.array([0, 2**64 - 1, 4], np.uint64),
        np.array([0, 4]),
        np.array([], np.int64),
        np.array([0, 2, 5]),
    ],
    ids=str,
)
def test_indices_that_do_not_rise_to_the_number_of_rows(
    indices: NDArray[np.integer], tmp_path: Path
) -> None:
    folder = folder_of(
        tmp_path,
        inputs=INPUTS,
        puzzle_identifiers=np.zeros(2, np.int32),
        puzzle_indices=indices,
    )
    with pytest.raises(PuzzleError, match=r"puzzle_indices\.npy must rise from 0 to 4 with 3"):
        list(TASK.read(folder))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npz(INPUTS), "it is an .npz archive. Save the array alone"),
        (b"", "it does not begin as one"),
        (b"\x93NUMPY\x01\x00", "it does not begin as one"),
        (b"one,two,three,four", "it does not begin as one"),
        (header("", length=4 << 30 - 1), "at most 10,000 are read"),
        (header("[" * 9000), "cannot be read as a plain .npy array"),
        (header("{'descr': '<i4', 'fortran_order': False, 'shape': (4,"), "cannot be read"),
        (
            header("{'descr': '<i4', 'fortran_order': False, 'shape': (1099511627776, 9)}\n"),
            "cannot be read",
        ),
        (header("{'descr': '<i4', 'fortran_order': False, 'shape': (-4, 9)}\n"), ""),
        (saved(INPUTS)[:-1], "cannot be read"),
        (saved(INPUTS.astype(np.float32)), "must be an integer array with 2 axes"),
        (saved(INPUTS > 3), "must be an integer array with 2 axes"),
    ],
)
def test_files_that_are_not_arrays_of_ids(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(PuzzleError) as caught:
        list(TASK.read(folder_of(tmp_path, inputs=content)))
    assert "all__inputs.npy" in str(caught.value)
    assert message in str(caught.value)


def test_what_stands_in_place_of_an_array(tmp_path: Path) -> None:
    path = tmp_path / "all__inputs.npy"
    for target in ("/dev/null", "nowhere", path.name):
        path.symlink_to(target)
        with pytest.raises(PuzzleError, match=r"inputs\.npy"):
            list(TASK.read(tmp_path))
        path.unlink()
    path.mkdir()
    with pytest.raises(PuzzleError, match="is not a file"):
        list(TASK.read(tmp_path))


def test_a_path_that_no_file_can_have() -> None:
    assert not is_folder(Path("a\0b"))
    assert is_folder(Path("/"))
