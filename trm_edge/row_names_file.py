"""The names of a bundle's rows: packed with gzip where they are few, else looked up in place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trm_edge.errors import BundleError
from trm_edge.identifiers import LARGEST_NAMES, NamesError, pack_names, unpack_names
from trm_edge.name_index import NAMES_TEXT, open_name_index, write_name_index
from trm_edge.verified_files import VerifiedFiles

IDENTIFIERS = "identifiers.json.gz"
MOST_PACKED_NAMES = 1 << 16  # they are unpacked in 0.1 s; more of them are looked up in place


def write_names(folder: Path, names: Sequence[str]) -> None:
    """Write the names of a bundle's rows.

    Args:
        folder: of the bundle.
        names: the one of row n at place n.

    Raises:
        OSError: a file cannot be written.
    """
    if len(names) > MOST_PACKED_NAMES:
        write_name_index(folder, names)
    else:
        (folder / IDENTIFIERS).write_bytes(pack_names(names))


def open_names(files: VerifiedFiles, rows: int) -> Sequence[str] | None:
    """Open the names of a bundle's rows.

    Args:
        files: of the bundle.
        rows: N, of the model's table.

    Returns:
        The name of row n at place n; None where the bundle has no names.

    Raises:
        BundleError: a file is not what an export writes, or has more or fewer names.
    """
    if NAMES_TEXT in files.records:
        return open_name_index(files, rows)
    record = files.records.get(IDENTIFIERS)
    if record is None:
        return None
    try:
        if record.size > LARGEST_NAMES:
            raise NamesError(f"it is larger than {LARGEST_NAMES >> 20} MiB")
        return unpack_names(files.read(IDENTIFIERS), rows)
    except NamesError as error:
        raise BundleError(
            f"{files.folder / IDENTIFIERS} does not name the model's rows: {error}. Export the "
            "bundle again."
        ) from error
