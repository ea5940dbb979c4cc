"""Arrays from files that are not trusted: sizes are compared before anything is unpacked."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trm_edge.arrays import ArrayError, map_array, read_header, read_npz

FLOAT32 = np.dtype(np.float32)


def stored(array: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def header(shape: str, descr: str = "'<f4'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        pickle.dumps([1]),
        header("(-1, 2)"),
        header("(True, 2)"),
        header("('a',)"),
        header("(1.5,)"),
        header("None"),
        header("(" + "1," * 100 + ")"),
        header("(2,)", "'|O'"),
        header("(2,)", "[('a', '|O')]"),
        header("(2,)", "'x'"),
        header("(" * 500),
        header("(2,)").replace(b"\x01\x00", b"\x09\x00", 1),
        stored(np.array([{}], object), allow_pickle=True),
        stored(np.asfortranarray(np.zeros((2, 3)))),
    ],
)
def test_headers_that_are_refused(content: bytes) -> None:
    with pytest.raises(ArrayError):
        read_header(io.BytesIO(content))


def test_a_table_is_mapped_if_it_is_the_model_s(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    path = tmp_path / "table.npy"
    path.write_bytes(stored(array))
    with path.open("rb") as file:
        mapped = map_array(file, path.stat().st_size, (2, 3), FLOAT32)
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, array)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (stored(np.zeros((2, 3))), "is .*f8"),
        (stored(np.zeros((2, 3), np.complex64)), "is .*c8"),
        (stored(np.zeros((3, 2), np.float32)), r"must be \(2, 3\) float32, but is \(3, 2\)"),
        (stored(np.zeros((2, 3), ">f4")), "is .*>f4"),
        (header("(2, 3)"), "bytes are not those of"),
        (header("(1000000000000, 128)"), "must be"),
    ],
)
def test_other_tables_are_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "table.npy"
    path.write_bytes(content)
    with path.open("rb") as file, pytest.raises(ArrayError, match=reason):
        map_array(file, len(content), (2, 3), FLOAT32)


def test_the_arrays_of_a_zip() -> None:
    content = zipped(a=stored(np.arange(3, dtype=np.uint8)))
    arrays = read_npz(content, {"a": ("uint8", "uint16")})
    np.testing.assert_array_equal(arrays["a"], [0, 1, 2])
    arrays["a"][0] = 5  # as numpy.load's


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no zip", "not an .npz file"),
        (zipped(), "lacks a.npy"),
        (zipped(a=stored(np.zeros(2))), "type must be uint8"),
        (zipped(a=header("(9999999999,)", "'|u1'")), "bytes are not those of"),
        (zipped(a=stored(np.zeros(2, np.uint8)), b=b""), "holds more than its arrays: b.npy"),
        (zipped(a=stored(np.array([{}], object), allow_pickle=True)), "never unpickled"),
        (zipped(a=b"no array"), "a: it is not an array"),
    ],
)
def test_other_zips_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(ArrayError, match=reason):
        read_npz(content, {"a": ("uint8",)})
