"""NumPy's files, read from sources that are not trusted: nothing is unpickled, sizes come first.

The header says how much memory an array needs, and so does a zip's directory. Both are compared
with what is expected before a byte is unpacked; ``numpy.load`` would allocate what they claim.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

MAX_UNPACKED_BYTES = 512 << 20  # of all arrays of an .npz together
_MAX_HEADER = 1000  # characters; those that are written here have about 100
_MAX_MEMBERS = 64  # files in an .npz
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# Everything that numpy's, zipfile's and zlib's readers raise on damaged content.
_DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    RuntimeError,  # an encrypted member; a header that is nested too deeply
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


class ArrayError(Exception):
    """An array cannot be read; the message is a clause that says why."""


class ArrayHeader(NamedTuple):
    """Shape and type of a stored array.

    Args:
        shape: its axes.
        dtype: type of its elements; never one of Python objects.
        offset: bytes of the file before the first element.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int

    @property
    def size_bytes(self) -> int:
        """Bytes of the elements."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(file: BinaryIO) -> ArrayHeader:
    """Read the header of an ``.npy`` file, and leave the file at its first element.

    Args:
        file: open for reading, at its start.

    Raises:
        ArrayError: it is not an array of plain elements in C order.
    """
    try:
        version = npy_format.read_magic(file)
        shape, fortran_order, dtype = _parse_header(file, version)
        offset = file.tell()
    except Exception as error:  # numpy parses Python's syntax, which fails in many ways
        raise ArrayError("it is not an array as numpy stores one") from error
    if version not in ((1, 0), (2, 0)):
        raise ArrayError(f"its format is {version[0]}.{version[1]}, and 1.0 and 2.0 are read")
    if dtype.hasobject:
        raise ArrayError("it holds Python objects, which are never unpickled")
    if any(isinstance(axis, bool) or axis < 0 for axis in shape) or len(shape) > 32:
        raise ArrayError(f"its shape is {shape}")
    if fortran_order and len(shape) > 1:
        raise ArrayError("it is stored in Fortran order")
    return ArrayHeader(shape, dtype, offset)


def _parse_header(
    file: BinaryIO, version: tuple[int, int]
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Parse a header of bounded length; numpy's own limit is newer than numpy 1.21."""
    length_format = "<H"
    read = npy_format.read_array_header_1_0
    if version != (1, 0):
        length_format = "<I"
        read = npy_format.read_array_header_2_0
    encoded_length = file.read(struct.calcsize(length_format))
    (length,) = struct.unpack(length_format, encoded_length)
    if length > _MAX_HEADER:
        raise ValueError(f"a header of {length} characters")
    shape, fortran_order, dtype = read(io.BytesIO(encoded_length + file.read(length)))
    return shape, fortran_order, dtype


def map_array(
    file: BinaryIO, size: int, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Map an ``.npy`` file into memory, read-only.

    Args:
        file: open for reading, at its start.
        size: bytes of the file.
        shape: the expected shape.
        dtype: the expected type.

    Raises:
        ArrayError: it has another shape, type or size.
    """
    header = read_header(file)
    if header.shape != shape or header.dtype != dtype:
        raise ArrayError(f"it must be {shape} {dtype}, but is {header.shape} {header.dtype.str}")
    if size != header.offset + header.size_bytes:
        raise ArrayError(f"its {size} bytes are not those of {shape} {dtype}")
    return np.memmap(file, dtype, mode="r", offset=header.offset, shape=shape)


def read_npz(content: bytes, dtypes: Mapping[str, tuple[str, ...]]) -> dict[str, NDArray[Any]]:
    """Unpack the arrays of an ``.npz`` file.

    Args:
        content: the file.
        dtypes: the possible types of each expected array, by its name.

    Returns:
        The arrays by name.

    Raises:
        ArrayError: it is not a zip, lacks an array, holds anything else, or would need more than
            512 MiB; names the array.
    """
    return read_open_npz(io.BytesIO(content), dtypes, limit=MAX_UNPACKED_BYTES)


def read_open_npz(
    file: BinaryIO,
    dtypes: Mapping[str, tuple[str, ...]],
    *,
    limit: int,
    optional: Mapping[str, tuple[str, ...]] | None = None,
) -> dict[str, NDArray[Any]]:
    """Unpack the arrays of an open ``.npz`` file.

    Args:
        file: open for reading.
        dtypes: the possible types of each expected array, by its name; ``str`` is text of any
            length.
        limit: bytes of all arrays together.
        optional: the same for arrays that may be missing. If this is passed, arrays of other names
            are skipped; otherwise they are refused.

    Returns:
        The arrays by name.

    Raises:
        ArrayError: it is not a zip, lacks an array, or would need more than ``limit``; names the
            array.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            return _unpacked(archive, dtypes, limit, optional)
    except _DAMAGE as error:
        raise ArrayError("it is not an .npz file, or is damaged") from error


def _unpacked(
    file: zipfile.ZipFile,
    dtypes: Mapping[str, tuple[str, ...]],
    limit: int,
    optional: Mapping[str, tuple[str, ...]] | None,
) -> dict[str, NDArray[Any]]:
    members = {member.filename: member for member in file.infolist()}
    expected = {f"{name}.npy" for name in dtypes}
    if len(file.infolist()) > _MAX_MEMBERS:
        raise ArrayError(f"it holds {len(file.infolist())} files")
    missing = sorted(expected - set(members))
    unknown = sorted(set(members) - expected)
    if missing:
        raise ArrayError(f"it lacks {', '.join(missing)}")
    if len(file.infolist()) != len(members) or (unknown and optional is None):
        raise ArrayError(f"it holds more than its arrays: {', '.join(unknown) or 'one twice'}")
    wanted = dict(dtypes)
    for name, possible in (optional or {}).items():
        if f"{name}.npy" in members:
            wanted[name] = possible
    total = sum(members[f"{name}.npy"].file_size for name in wanted)
    if total > limit:
        raise ArrayError(f"it unpacks to {total} bytes, and at most {limit} are read")
    arrays = {}
    for name, possible in wanted.items():
        member = members[f"{name}.npy"]
        if member.compress_type not in _METHODS:
            raise ArrayError(f"{name} is compressed by method {member.compress_type}")
        try:
            with file.open(member) as stream:
                arrays[name] = _read_array(stream, member.file_size, possible)
        except ArrayError as error:
            raise ArrayError(f"{name}: {error}") from error
    return arrays


def _read_array(stream: Any, size: int, possible: tuple[str, ...]) -> NDArray[Any]:
    header = read_header(stream)
    kind = "str" if header.dtype.kind == "U" else header.dtype.name
    if kind not in possible or not header.dtype.isnative:
        raise ArrayError(f"its type must be {' or '.join(possible)}, but is {header.dtype.str}")
    if header.offset + header.size_bytes != size:
        raise ArrayError(f"its {size} bytes are not those of {header.shape} {header.dtype}")
    content = stream.read(header.size_bytes)
    if len(content) != header.size_bytes or stream.read(1):
        raise ArrayError("it is cut off, or goes on")
    return np.frombuffer(bytearray(content), header.dtype).reshape(header.shape)
