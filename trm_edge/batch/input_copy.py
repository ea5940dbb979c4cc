"""A copy of standard input, which can be read once only, while a run reads its input again."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from trm_edge.batch.output_folder import INPUT_PREFIX, OutputFolder
from trm_edge.errors import OutputError
from trm_edge.files import error_reason
from trm_edge.tasks.lines import open_standard_input

_CHUNK = 1 << 20  # bytes


@contextmanager
def copied_input(stdin: TextIO | None, folder: OutputFolder) -> Iterator[Path]:
    """Copy standard input to a hidden file, which is removed when the block ends.

    Args:
        stdin: ``sys.stdin``, which is None where it was closed.
        folder: locked; what a killed run left in it is removed when it is locked again.

    Raises:
        PuzzleError: it is closed.
        OutputError: there is no room for the copy.
    """
    lines = open_standard_input(stdin)
    handle, name = tempfile.mkstemp(prefix=INPUT_PREFIX, dir=folder.path)
    path = Path(name)
    try:
        try:
            with os.fdopen(handle, "wb") as file, lines.raw() as source:
                shutil.copyfileobj(source, file, _CHUNK)
        except OSError as error:
            raise OutputError(
                f"cannot copy standard input to {folder.path}: {error_reason(error)}. Make room, "
                "or pass a file instead."
            ) from error
        yield path
    finally:
        path.unlink(missing_ok=True)
