"""Refuses ids that stand for two rows, before anything is solved."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trm_edge.batch.source import RowSource
from trm_edge.errors import PuzzleError
from trm_edge.printable import excerpt
from trm_edge.progress import Metered, Track, silent

_DIGEST_BYTES = 16  # of an id; two of 10^9 ids have the same by chance once in 10^20 inputs
_SHOWN = 60  # characters of an id in a message


def check_ids(source: RowSource, track: Track = silent) -> None:
    """Read all ids of a source, and refuse one that is missing or stands in two rows.

    Takes 16 bytes of memory an id. Ids that are the rows' places need no look, and a row that
    cannot be read has none: it fails alone.

    Args:
        source: of the rows.
        track: reports the rows.

    Raises:
        PuzzleError: names the id and its rows.
    """
    if not source.has_ids:
        return
    content = bytearray()
    for ids in track(Metered(_id_blocks(source), "blocks"), "comparing ids"):
        content += b"".join(_digest(row_id) for row_id in ids if row_id is not None)
    digests = np.frombuffer(content, f"S{_DIGEST_BYTES}")
    digests.sort()  # in place
    repeated = digests[1:][digests[1:] == digests[:-1]]
    if len(repeated):
        raise PuzzleError(_repetition(source, repeated))


def _id_blocks(source: RowSource) -> Iterator[list[str | None]]:
    """The ids of each block, none of them missing; None for rows that cannot be read."""
    first_row = 0
    for column in source.ids():
        ids = column.to_pylist()
        for place, row_id in enumerate(ids):
            if row_id == "":
                raise PuzzleError(
                    f"{source.name} has no id in row {first_row + place}, counted from 0. Give "
                    "every row an id, or leave the ids out, so that its place is its id."
                )
        yield ids
        first_row += len(ids)


def _digest(row_id: str) -> bytes:
    content = row_id.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()


def _repetition(source: RowSource, repeated: NDArray[np.bytes_]) -> str:
    """Name the first id that stands in two rows."""
    digests = set(repeated.tolist())
    rows: dict[str, int] = {}
    row = 0
    for ids in _id_blocks(source):
        for row_id in ids:
            # numpy cuts zero bytes at the end of a digest
            if row_id is not None and _digest(row_id).rstrip(b"\0") in digests:
                if row_id in rows:
                    return (
                        f"{source.name} has the id {excerpt(row_id, _SHOWN)} in rows "
                        f"{rows[row_id]} and {row}, counted from 0. Every row needs an id of its "
                        "own: leave out the repeated rows, or the ids."
                    )
                rows[row_id] = row
            row += 1
    raise PuzzleError(f"{source.name} has changed while it was read. Start again.")
