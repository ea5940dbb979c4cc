"""Lines of text from files and pipes: encodings, gzip, and bounds that hold for any input."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from trm_edge.errors import PuzzleError
from trm_edge.file_signatures import identify
from trm_edge.printable import printable

MAX_LINE = 1 << 20  # characters of a line that are kept; the rest of a longer one is skipped
MAX_LINE_TOTAL = 1 << 28  # characters of a line after which reading is given up
MAX_UNPACKED = 8 << 30  # bytes that a gzip file may unpack to
_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"
# What to do with a file that is not text, by its kind; others are unpacked or replaced.
_ADVICE = {
    "a Parquet table": "Add -o NAME.parquet, or write its puzzles as CSV",
    "a numpy array": "Pass the dataset's folder, which holds *__inputs.npy",
}
_MARKS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Lines:
    """The lines of an opened file, as an iterator of strings; nothing is read before the first.

    Bytes that are not text become U+FFFD. Of a line of more than ``MAX_LINE`` characters, one
    character more than that is kept, by which readers tell it. Iterating raises ``PuzzleError``
    where the file is of a kind that does not hold lines of text, or is damaged.

    Args:
        file: binary and buffered; gzip is unpacked.
        name: of the file, for messages.

    Attributes:
        live: the file is a pipe, terminal or device, whose writer may be waiting for answers.
    """

    def __init__(self, file: io.BufferedReader, name: str) -> None:
        self.name = name
        self.live = _is_live(file)
        self._file = file
        self._size = _size_of(file)

    def is_empty(self) -> bool:
        """Wait for the first byte, and tell whether the file ends without one.

        Raises:
            PuzzleError: the file cannot be read.
        """
        try:
            return not _peek(self._file)
        except OSError as error:
            raise PuzzleError(self._unreadable(error)) from error

    def __iter__(self) -> Iterator[str]:
        with self._readable() as text:
            yield from bounded_lines(text, self.name)

    @property
    def share_read(self) -> float | None:
        """How much of the file was read, from 0 to 1; None where its size is not known.

        Of a packed file, its packed bytes count.
        """
        if not self._size:
            return None
        try:
            return min(self._file.tell() / self._size, 1.0)
        except ValueError:  # it is closed
            return 1.0

    def raw(self) -> io.BufferedReader:
        """Return the file itself, for a copy of all its bytes; whoever takes it closes it."""
        return self._file

    def text(self, limit: int) -> str:
        """Read everything, where lines have no meaning.

        Args:
            limit: characters at most.

        Raises:
            PuzzleError: it cannot be read, is of a kind that does not hold text, or is longer.
        """
        with self._readable() as text:
            content = text.read(limit + 1)
        if len(content) > limit:
            raise PuzzleError(
                f"{self.name} has more than {limit:,} characters. Split it into several files."
            )
        return content

    @contextmanager
    def _readable(self) -> Iterator[TextIO]:
        """Open the text; what goes wrong until the block ends becomes a PuzzleError."""
        with self._file:
            try:
                with self._decoded() as text:
                    yield text
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise PuzzleError(
                    f"{self.name} is a damaged gzip file: {error}. Copy or pack it again."
                ) from error
            except UnicodeError as error:
                raise PuzzleError(
                    f"{self.name} is not text in one encoding: {error}. Save it as UTF-8."
                ) from error
            except OSError as error:
                raise PuzzleError(self._unreadable(error)) from error

    def _decoded(self) -> TextIO:
        source: io.BufferedReader = self._file
        start = _peek(source)
        if start.startswith(_GZIP):
            unpacked = gzip.GzipFile(fileobj=source)
            source = io.BufferedReader(_Bounded(unpacked, self.name))
            start = _peek(source)
        signature = identify(start)
        if signature is not None:
            advice = signature.unpack or _ADVICE.get(signature.kind, "Pass a text or CSV file")
            raise PuzzleError(f"{self.name} is {signature.kind}, not lines of text. {advice}.")
        encoding = _encoding(start)
        if encoding == "utf-8" and not self.live and b"\0" in start:
            raise PuzzleError(
                f"{self.name} is a binary file, not lines of text. Pass a text or CSV file."
            )
        return io.TextIOWrapper(source, encoding=encoding, errors="replace")

    def _unreadable(self, error: OSError) -> str:
        return (
            f"cannot read puzzles from {self.name}: {error.strerror or error}. Pass a file, a "
            "dataset folder, or - for standard input."
        )


def bounded_lines(text: TextIO, name: str) -> Iterator[str]:
    """Read lines whose length is bounded, whatever the file holds.

    Args:
        text: an opened text file.
        name: of the file, for messages.

    Raises:
        PuzzleError: a line has no end within ``MAX_LINE_TOTAL`` characters.
    """
    while True:
        line = text.readline(MAX_LINE + 1)
        if not line:
            return
        length = len(line)
        part = line
        while length > MAX_LINE and not part.endswith("\n"):
            part = text.readline(_CHUNK)
            if not part:
                break
            length += len(part)
            if length > MAX_LINE_TOTAL:
                raise PuzzleError(
                    f"{name} has a line of more than {MAX_LINE_TOTAL:,} characters: it does not "
                    "hold puzzles. Pass a text or CSV file with one puzzle a line."
                )
        yield line


def too_long(line: str) -> str | None:
    """Explain that a line is longer than any puzzle.

    Args:
        line: as :class:`Lines` gives it.

    Returns:
        The reason, or None where the line is short enough.
    """
    if len(line) <= MAX_LINE:
        return None
    return f"longer than {MAX_LINE:,} characters"


def open_lines(path: Path) -> Lines:
    """Open a text file, compressed or not, or a named pipe.

    Args:
        path: of the file.

    Raises:
        PuzzleError: it cannot be opened, or does not hold lines of text.
    """
    try:
        return Lines(path.open("rb"), printable(str(path)))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise PuzzleError(
            f"cannot read puzzles from {printable(str(path))}: {reason}. Pass a file, a dataset "
            "folder, or - for standard input."
        ) from error


def open_standard_input(stdin: TextIO | None) -> Lines:
    """Open standard input, by a file object of its own where it is a real file or pipe.

    A reader may be blocked in it when the process ends, and the interpreter closes ``sys.stdin``.

    Args:
        stdin: ``sys.stdin``, which is None where it was closed.

    Raises:
        PuzzleError: it is closed.
    """
    if stdin is None:
        raise PuzzleError("standard input is closed. Pass a file, or write puzzles to a pipe.")
    try:
        file = open(stdin.fileno(), "rb", closefd=False)  # noqa: SIM115 - Lines closes it
    except (OSError, ValueError):  # not a file of the system, as in a notebook
        buffer = getattr(stdin, "buffer", None)
        content = stdin.read().encode("utf-8", "replace") if buffer is None else buffer.read()
        file = io.BufferedReader(io.BytesIO(content))
    return Lines(file, "standard input")


def holds_input(stdin: TextIO | None) -> bool:
    """Tell whether standard input is a pipe, or a file that is not empty.

    A terminal, /dev/null, a closed or an empty input are what a command gets that nobody gave one.

    Args:
        stdin: ``sys.stdin``, which is None where it was closed.
    """
    if stdin is None:
        return False
    try:
        status = os.fstat(stdin.fileno())
    except (OSError, ValueError):
        return False
    if stat.S_ISFIFO(status.st_mode):
        return True
    return stat.S_ISREG(status.st_mode) and status.st_size > 0


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more than ``MAX_UNPACKED`` bytes."""

    def __init__(self, stream: gzip.GzipFile, name: str) -> None:
        self._stream = stream
        self._name = name
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        content = self._stream.read1(len(buffer))
        self._count += len(content)
        if self._count > MAX_UNPACKED:
            raise PuzzleError(
                f"{self._name} unpacks to more than {MAX_UNPACKED >> 30} GiB. Unpack it, and pass "
                "a part of it."
            )
        buffer[: len(content)] = content
        return len(content)


def _is_live(file: io.BufferedReader) -> bool:
    try:
        return not stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except (OSError, ValueError):
        return False


def _size_of(file: io.BufferedReader) -> int:
    """The bytes of a regular file; 0 for anything else."""
    try:
        status = os.fstat(file.fileno())
    except (OSError, ValueError):
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _peek(file: io.BufferedReader) -> bytes:
    return file.peek(1024)[:1024]


def _encoding(start: bytes) -> str:
    """Detect the encoding by its mark, and UTF-16 without one by its zero bytes."""
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding
    pairs = len(start) // 2
    if pairs >= 4 and 0 not in start[0 : 2 * pairs : 2] and not any(start[1 : 2 * pairs : 2]):
        return "utf-16-le"
    if pairs >= 4 and 0 not in start[1 : 2 * pairs : 2] and not any(start[0 : 2 * pairs : 2]):
        return "utf-16-be"
    return "utf-8"
