"""Writes an ``.npy`` file part by part, so that an array larger than memory can be stored."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray


class ArrayWriter:
    """Writes the rows of an array in order; a context manager.

    Args:
        path: the file; one that exists is replaced.
        shape: of the whole array.
        dtype: of its elements.

    Raises:
        OSError: the file cannot be written.
        ValueError: on exit: more or fewer elements were written than the shape has.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "rows.npy"
    >>> with ArrayWriter(path, (2, 3), np.dtype(np.float32)) as writer:
    ...     writer.write(np.ones((1, 3), np.float32))
    ...     writer.write(np.zeros((1, 3), np.float32))
    >>> np.load(path).tolist()
    [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.path = path
        self.shape = shape
        self.dtype = dtype
        self._written = 0  # elements

    def __enter__(self) -> ArrayWriter:
        self._file = self.path.open("wb")
        header = {
            "descr": npy_format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": self.shape,
        }
        npy_format.write_array_header_1_0(self._file, header)
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        expected = int(np.prod(self.shape))
        if error is None and self._written != expected:
            raise ValueError(f"{self.path} needs {expected} elements, but got {self._written}")

    def write(self, rows: NDArray[Any]) -> None:
        """Append rows.

        Args:
            rows: (n, ...), the next ones; converted to the type of the array.

        Raises:
            OSError: the file cannot be written.
        """
        content = np.ascontiguousarray(rows, self.dtype)
        self._file.write(content.data)
        self._written += content.size
