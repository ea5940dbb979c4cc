"""Names of puzzle identifiers: the run's own ``identifiers.json``, and that of another dataset.

Row n of the puzzle-embedding table belongs to name n of the run's file. A dataset that is built
again may number the same names otherwise, and nothing in its arrays shows that.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from trm_edge.errors import CheckpointError
from trm_edge.export.bounded_text import read_text

logger = logging.getLogger(__name__)

IDENTIFIERS_NAME = "identifiers.json"
_MAX_BYTES = 256 << 20  # the largest published table has a million names


def check_identifiers(weights: Path, dataset: Path | None, rows: int) -> None:
    """Warn where names and rows, or the names of run and dataset, are not the same.

    Args:
        weights: the weight file, beside which the run's own file lies where it was kept.
        dataset: the dataset's folder, or None.
        rows: of the puzzle-embedding table.

    Raises:
        CheckpointError: a file is not a list of names.
    """
    own_path = weights.parent / IDENTIFIERS_NAME
    own = _names(own_path)
    if own is None:
        return
    if len(own) != rows:
        logger.warning(
            "%s has %d names, but the weights have %d rows of puzzle embeddings: it is of another "
            "run",
            own_path,
            len(own),
            rows,
        )
    if dataset is None or not dataset.is_dir():
        return
    other_path = dataset / IDENTIFIERS_NAME
    other = _names(other_path)
    if other is None or other == own:
        return
    shared = min(len(own), len(other))
    differing = sum(own[index] != other[index] for index in range(shared))
    logger.warning(
        "%s numbers its puzzles otherwise than %s: of %d identifiers, %d stand for another puzzle, "
        "and %d are in one of the two alone. Pass the dataset that the run was trained on",
        other_path,
        own_path,
        shared,
        differing,
        max(len(own), len(other)) - shared,
    )


def _names(path: Path) -> list[str] | None:
    """The names in a file, by identifier; None where there is no such file."""
    if not path.is_file():
        return None
    try:
        names = json.loads(read_text(path, _MAX_BYTES, "a list of identifiers"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is not JSON. Copy the run's own file, or move this one away."
        ) from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise CheckpointError(
            f"{path} is not a list of names. Copy the run's own file, or move this one away."
        )
    return names
