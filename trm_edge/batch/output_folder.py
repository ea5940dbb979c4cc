"""The folder of a run: its answers in parts, each whole or not there, and its fingerprint.

Only Parquet files whose names do not begin with ``_`` or ``.`` are parts, which is what pyarrow,
pandas and others read of a folder. A part is written under a hidden name and renamed, so the folder
can be read at every moment, and which rows are done follows from the parts alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from trm_edge import records
from trm_edge.batch.answers import ANSWER_SCHEMA
from trm_edge.batch.fingerprint import RUN_FORMAT, Fingerprint
from trm_edge.batch.parquet_file import open_parquet
from trm_edge.batch.pending_parts import remove_unfinished_parts
from trm_edge.errors import OutputError, PuzzleError, RecordError
from trm_edge.files import check_writable, write_bytes
from trm_edge.records import RecordKind
from trm_edge.run_lock import locked_folder, unusable
from trm_edge.run_settings import refuse_other_files, refuse_other_settings

RUN_NAME = "_run.json"
INPUT_PREFIX = ".input-"  # of a copy of standard input
_HIDDEN = (".", "_")
_LEFTOVERS = (".rows-*.parquet.trm-edge-*", f"{INPUT_PREFIX}*")
_BATCH_ROWS = 1 << 16
COMPRESSION = "zstd"
_MAKE_ROOM = "make room or make the folder writable, and the same command goes on."
_KIND = RecordKind(
    RUN_FORMAT,
    "the record of a run of trm-edge solve",
    RecordError,
    "Choose another folder, or delete this one.",
)


class OutputFolder:
    """Keeps the parts of a run.

    Args:
        path: of the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Create the folder and keep other processes out of it until the block ends.

        What killed runs left hidden in it is removed. A folder that gets nothing is removed again.

        Raises:
            OutputError: it cannot be written, or another process is at work in it.
            OutputExistsError: it holds something else than a run.
        """
        self._check()
        with locked_folder(self.path, RUN_NAME):
            self._remove_leftovers()
            yield

    @property
    def is_begun(self) -> bool:
        """The folder has the fingerprint of a run."""
        return (self.path / RUN_NAME).exists()

    def fingerprint(self) -> Fingerprint | None:
        """Read the fingerprint of the run in the folder; None where none was begun.

        Raises:
            RecordError: it cannot be read.
        """
        if not self.is_begun:
            return None
        return records.read(self.path / RUN_NAME, Fingerprint, _KIND)

    def check_same(self, fingerprint: Fingerprint) -> bool:
        """Make sure that the run in the folder has the same settings, if it has answers.

        Args:
            fingerprint: of the run that is to go on.

        Returns:
            False where a run is to be begun: none was, or one with other settings that solved
            nothing, because its settings did not work.

        Raises:
            OutputExistsError: they differ; says in what.
        """
        before = self.fingerprint()
        if before is None:
            return False
        found = before.differences(fingerprint)
        if found and not self.parts():
            return False
        refuse_other_settings(self.path, found)
        return True

    def begin(self, fingerprint: Fingerprint) -> None:
        """Write the fingerprint of a run without answers.

        Args:
            fingerprint: of the run.

        Raises:
            OutputError: it cannot be written.
        """
        with _advised(f"Nothing is solved yet: {_MAKE_ROOM}"):
            records.write(self.path / RUN_NAME, fingerprint, RUN_FORMAT)

    def parts(self) -> list[Path]:
        """List the files of answers."""
        paths = sorted(self.path.glob("*.parquet"))
        return [path for path in paths if not path.name.startswith(_HIDDEN)]

    def append(self, answers: pa.Table) -> None:
        """Write a further part, whole or not at all.

        Args:
            answers: rows that no part has, with the columns of ``ANSWER_SCHEMA``.

        Raises:
            OutputError: it cannot be written.
        """
        first = answers["row"][0].as_py()
        last = answers["row"][len(answers) - 1].as_py()
        self.write(self.path / f"rows-{first:012}-{last:012}.parquet", answers)

    def write(self, path: Path, answers: pa.Table) -> None:
        """Write a part, or put it in the place of the one that is there.

        Args:
            path: of the part.
            answers: with the columns of ``ANSWER_SCHEMA``.

        Raises:
            OutputError: it cannot be written; the part that was there is as before.
        """
        sink = pa.BufferOutputStream()
        pq.write_table(answers, sink, compression=COMPRESSION)
        with _advised(f"The answers before are written: {_MAKE_ROOM}"):
            write_bytes(path, sink.getvalue())

    def _remove_leftovers(self) -> None:
        try:
            remove_unfinished_parts(self.path)
            for pattern in _LEFTOVERS:
                for path in self.path.glob(pattern):
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise unusable(self.path, error) from error

    def _check(self) -> None:
        """Refuse a folder that is not a run's, before it is locked."""
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(
                f"{self.path} is a file, and the answers are a folder of Parquet files. Choose "
                "another name, or move the file away."
            )
        with _advised("Make the folder writable, or choose another one."):
            check_writable(self.path / RUN_NAME)
        refuse_other_files(self.path, RUN_NAME)


@contextmanager
def _advised(advice: str) -> Iterator[None]:
    """Say what to do about a file of the folder, whose path is not the user's choice."""
    try:
        yield
    except OutputError as error:
        reason = str(error).removesuffix(" Choose another path.")
        raise OutputError(f"{reason} {advice}") from error


def read_part(path: Path, columns: list[str]) -> Iterator[pa.Table]:
    """Read columns of a part, a bounded number of rows at a time.

    Args:
        path: of the part.
        columns: names in ``ANSWER_SCHEMA``.

    Raises:
        OutputError: it cannot be read, or has other columns.
    """
    try:
        with open_parquet(path) as file:
            missing = [name for name in ANSWER_SCHEMA.names if name not in file.schema_arrow.names]
            if missing:
                raise OutputError(
                    f"{path} has no column {missing[0]}, so it is not a part of this run. Move it "
                    "out of the folder."
                )
            for batch in file.iter_batches(_BATCH_ROWS, columns=columns, use_threads=False):
                yield pa.Table.from_batches([batch])
    except PuzzleError as error:
        reason = str(error).removesuffix(" Copy or write it again.")
        raise OutputError(
            f"{reason} Copy it back, or delete it: its rows are solved again then."
        ) from error
