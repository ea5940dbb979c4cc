"""Names of a checkpoint's puzzle-embedding rows, from the ``identifiers.json`` of its run.

Row n of the table belongs to name n. The dataset builder writes the file into the dataset's root,
and a published checkpoint often has a copy beside its weights.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from trm_edge.errors import CheckpointError
from trm_edge.export.weight_choice import LIGHTNING_FOLDER
from trm_edge.identifiers import IDENTIFIERS_NAME, NamesError, read_names

logger = logging.getLogger(__name__)

_SPLITS = ("train", "test", "val")


def find_identifiers(weights: Path, dataset: Path | None, rows: int) -> Sequence[str] | None:
    """Find the names of a table's rows: beside the weights, or else in the run's dataset.

    A file with another number of names is of another run or was built again, and is left out.

    Args:
        weights: the weight file.
        dataset: the dataset's folder, one of its splits, its ``dataset.json``, or None.
        rows: of the puzzle-embedding table.

    Returns:
        The name of row n at place n; None where they are unknown, or there is only one row.

    Raises:
        CheckpointError: a file is not a list of names.
    """
    own = [folder / IDENTIFIERS_NAME for folder in _run_folders(weights)]
    others = [folder / IDENTIFIERS_NAME for folder in _dataset_folders(dataset)]
    for path in dict.fromkeys((*own, *others)):
        if not path.exists():
            continue
        names = _names(path)
        if len(names) == rows:
            if rows == 1:
                return None
            logger.info("the names of the %d puzzle embeddings are those of %s", rows, path)
            return names
        if path in own:  # a dataset of another number is warned about where it is read
            logger.warning(
                "%s has %d names, but the weights have %d rows of puzzle embeddings: it is of "
                "another run, and is not used",
                path,
                len(names),
                rows,
            )
    return None


def _run_folders(weights: Path) -> list[Path]:
    """Folders of the run that the weights are from."""
    folders = [weights.parent]
    if weights.parent.name == LIGHTNING_FOLDER:
        folders.append(weights.parent.parent)
    return folders


def _dataset_folders(dataset: Path | None) -> list[Path]:
    """The dataset's folder, and its root where that is a split's."""
    if dataset is None:
        return []
    folder = dataset if dataset.is_dir() else dataset.parent
    if folder.name in _SPLITS:
        return [folder, folder.parent]
    return [folder]


def _names(path: Path) -> list[str]:
    try:
        return read_names(path)
    except NamesError as error:
        raise CheckpointError(
            f"{path} does not name the puzzle embeddings: {error}. Copy the run's own file, or "
            "move this one away."
        ) from error
