"""Refuse to overwrite files that trm-edge did not write."""

from __future__ import annotations

import re
from pathlib import Path

from trm_edge.errors import OutputError, OutputExistsError
from trm_edge.files import check_writable, error_reason
from trm_edge.records import Format

_HEAD_BYTES = 4096  # of a file that say what it is
_FORMAT = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"format"\s*:\s*"([a-z.-]+)/\d+"')
_JUNIT = re.compile(rb"<\?xml[^>]*>\s*<testsuites[^>]*>\s*<testsuite[^>]* name=\"trm-edge\.")


def check_record_output(path: Path, record_format: Format, noun: str, *, force: bool) -> None:
    """Refuse an output that cannot be written, or that holds anything but the same kind of record.

    Args:
        path: the file that will be written.
        record_format: of the record that will be written.
        noun: what such a file is called, with its article.
        force: overwriting any file was asked for.

    Raises:
        OutputError: the file could not be written.
        OutputExistsError: there is another file; says how to go on.
    """
    check_writable(path)
    head = _head(path)
    match = _FORMAT.match(head)
    is_ours = match is not None and match[1].decode() == record_format.family
    _refuse(path, noun, replaceable=force or is_ours or not head)


def check_junit_output(path: Path, *, force: bool) -> None:
    """Refuse an output that cannot be written, or that holds anything but JUnit XML of trm-edge.

    Args:
        path: the file that will be written.
        force: overwriting any file was asked for.

    Raises:
        OutputError: the file could not be written.
        OutputExistsError: there is another file; says how to go on.
    """
    check_writable(path)
    head = _head(path)
    is_ours = _JUNIT.match(head) is not None
    _refuse(path, "a JUnit file of trm-edge regress", replaceable=force or is_ours or not head)


def _head(path: Path) -> bytes:
    """First bytes of a file; empty where it is empty or not there."""
    if not path.exists():
        return b""
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error_reason(error)}.") from error


def _refuse(path: Path, noun: str, *, replaceable: bool) -> None:
    if not replaceable:
        raise OutputExistsError(
            f"{path} exists and is not {noun}, so it is not overwritten. Choose another file, or "
            "pass --force."
        )
