"""What ``trm-edge inspect`` says of the puzzle-embedding table, and of a verification."""

from __future__ import annotations

import click

from trm_edge.bundle import Bundle
from trm_edge.name_index import NAMES_TEXT
from trm_edge.progress import progress_bars
from trm_edge.puzzle_table import TABLE_FILES
from trm_edge.row_names_file import IDENTIFIERS


def verify_bundle(bundle: Bundle) -> None:
    """Hash every file of a bundle, and say on stderr that all are right.

    Args:
        bundle: the opened bundle.

    Raises:
        BundleError: names the first file that is not what was exported.
    """
    with progress_bars() as track:
        size = bundle.verify(track)
    files = len(bundle.manifest.files)
    click.echo(f"All {files} files are as exported, {size / 1e6:,.1f} MB by hash.", err=True)


def describe_table(bundle: Bundle) -> str:
    """Describe the puzzle-embedding table in a line.

    Args:
        bundle: the opened bundle.

    Returns:
        Rows, type, size, origin and names; empty where there is no table.
    """
    files = bundle.manifest.files
    size = sum(files[name].size for name in TABLE_FILES if name in files)
    if not size:
        return ""
    config = bundle.config
    parts = [f"{config.num_puzzle_identifiers:,} x {config.puzzle_emb_ndim}"]
    rows = bundle.manifest.rows
    if rows is not None and rows.checkpoint_rows != config.num_puzzle_identifiers:
        parts[0] += f" of the checkpoint's {rows.checkpoint_rows:,}"
    if rows is not None and rows.type == "int8":
        mean = 100 * rows.mean_error
        largest = 100 * rows.max_error
        parts.append(f"INT8, a row off by {mean:.2f} % of its length ({largest:.2f} % at most)")
    else:
        parts.append("float32")
    parts.append(f"{size / 1e6:,.1f} MB")
    named = IDENTIFIERS in files or NAMES_TEXT in files
    parts.append("with names" if named else "without names")
    return ", ".join(parts)
