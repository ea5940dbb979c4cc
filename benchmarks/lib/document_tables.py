"""Tables of the documentation that benchmarks write."""

from __future__ import annotations

import re
from pathlib import Path

import click

from trm_edge.files import write_text


def update_tables(path: Path, tables: dict[str, str]) -> None:
    """Replace tables of a document between ``<!-- table NAME -->`` and ``<!-- end -->``.

    Args:
        path: the document.
        tables: Markdown by name.

    Raises:
        ClickException: the document does not have exactly one place for a table.
    """
    text = path.read_text(encoding="utf-8")
    for name, table in tables.items():
        pattern = re.compile(rf"(<!-- table {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
        matches = list(pattern.finditer(text))
        if len(matches) != 1:
            raise click.ClickException(
                f"{path} must have one place for the table {name!r}, but has {len(matches)}."
            )
        match = matches[0]
        text = f"{text[: match.end(1)]}{table}\n{text[match.start(2) :]}"
    write_text(path, text)
