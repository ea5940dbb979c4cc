"""Fetch a checkpoint from a hub through ``huggingface_hub``: chosen, bounded, pinned, cached.

The revision is resolved to a commit first, and everything comes from that commit. Sizes are known
before anything is downloaded. A file that is in the cache already is not downloaded again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from trm_edge.errors import CheckpointError
from trm_edge.export.hub_name import HubName
from trm_edge.export.weight_choice import LIGHTNING_FOLDER, weight_names
from trm_edge.identifiers import IDENTIFIERS_NAME, LARGEST_NAMES
from trm_edge.printable import excerpt

logger = logging.getLogger(__name__)

_LARGEST_BESIDE = 1 << 20
BESIDE = {  # by name: the most bytes it may have
    "all_config.yaml": _LARGEST_BESIDE,
    "config.yaml": _LARGEST_BESIDE,
    "config.json": _LARGEST_BESIDE,
    "dataset.json": _LARGEST_BESIDE,
    "train/dataset.json": _LARGEST_BESIDE,
    IDENTIFIERS_NAME: LARGEST_NAMES,
}
_LARGEST_WEIGHTS = 8 << 30  # bytes; an ARC-2 checkpoint of HRM has 2.2 GB
_NAMES_SHOWN = 8
_MAIN = "main"


@dataclass(frozen=True)
class HubCheckpoint:
    """A checkpoint of a hub on this machine.

    Args:
        repository: OWNER/NAME.
        commit: of the repository, in hexadecimal.
        file: the weight file's path in the repository.
        path: the weight file on this machine, its configuration beside it.
    """

    repository: str
    commit: str
    file: str
    path: Path


def fetch_checkpoint(name: HubName) -> HubCheckpoint:
    """Download a weight file and the configuration beside it, or find them in the cache.

    Args:
        name: names the repository.

    Raises:
        CheckpointError: the repository, revision or file does not exist or is not open to this
            user, the hub cannot be reached, or a file is larger than any model's.
    """
    if constants.HF_HUB_OFFLINE:
        return _from_cache(name, "HF_HUB_OFFLINE is set")
    try:
        with _explained(name):
            info = huggingface_hub.HfApi().model_info(
                name.repository, revision=name.revision, files_metadata=True
            )
    except _UnreachableError as error:
        cached = _from_cache(name, f"the hub cannot be reached ({excerpt(error, 120)})")
        logger.warning("the hub cannot be reached, so %s is taken from the cache", cached.commit)
        return cached
    sizes = {sibling.rfilename: sibling.size for sibling in info.siblings or ()}
    file = _chosen(name, list(sizes))
    beside = _beside(file, sizes)
    for path, limit in ((file, _LARGEST_WEIGHTS), *beside.items()):
        _check_size(name, path, sizes[path], limit)
    with _explained(name):
        for path in beside:
            _download(name, path, info.sha)
        weights = _download(name, file, info.sha)
    commit = info.sha or _commit_of(weights, file)
    logger.info("%s is commit %s: %s", name, commit, file)
    return HubCheckpoint(name.repository, commit, file, weights)


class _UnreachableError(Exception):
    """The hub did not answer."""


@contextmanager
def _explained(name: HubName) -> Iterator[None]:
    """Turn the errors of ``huggingface_hub`` into sentences with a way out."""
    place = f"{name.repository} on {constants.ENDPOINT}"
    try:
        yield
    except CheckpointError:
        raise
    except GatedRepoError as error:
        raise CheckpointError(
            f"{place} is gated. Accept its terms on {constants.ENDPOINT}/{name.repository}, then "
            "log in with hf auth login (or set HF_TOKEN)."
        ) from error
    except RevisionNotFoundError as error:
        raise CheckpointError(
            f"{place} has no revision {excerpt(name.revision, 80)}. Leave out @REVISION for its "
            "main branch, or pass a branch, tag or commit of it."
        ) from error
    except RepositoryNotFoundError as error:
        raise CheckpointError(
            f"there is no model {place}, or it is private. Check the name; for a private one, log "
            "in with hf auth login (or set HF_TOKEN)."
        ) from error
    except EntryNotFoundError as error:
        raise CheckpointError(
            f"{name} cannot be downloaded: {_first_line(error)}. Check the connection and the "
            "name of the file."
        ) from error
    except OfflineModeIsEnabled as error:
        raise _UnreachableError(_first_line(error)) from error
    except Exception as error:  # of requests or httpx, by the version of huggingface_hub
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status is None:
            raise _UnreachableError(_first_line(error)) from error
        raise CheckpointError(
            f"{place} cannot be read: the hub answered {status} ({_first_line(error)}). Try again "
            "later, or download the folder and pass its path."
        ) from error


def _download(name: HubName, file: str, commit: str | None) -> Path:
    """One file of the commit; the cache learns which commit the revision stands for."""
    path = Path(huggingface_hub.hf_hub_download(name.repository, file, revision=name.revision))
    if commit is None or commit in path.parts:
        return path
    return Path(huggingface_hub.hf_hub_download(name.repository, file, revision=commit))


def _commit_of(path: Path, file: str) -> str:
    """The commit of a file in the cache: ``snapshots/COMMIT/FILE``."""
    return path.parts[-len(PurePosixPath(file).parts) - 1]


def _chosen(name: HubName, files: list[str]) -> str:
    """The weight file among the files of a repository.

    Raises:
        CheckpointError: there is none, or several that could be meant.
    """
    if name.file in files:
        return str(name.file)
    folder = name.file or ""
    if folder and not any(file.startswith(f"{folder}/") for file in files):
        raise CheckpointError(f"{name}: there is no such file. {_content(name, files)}")
    candidates = _weights_in(folder, files) or _weights_in(_joined(folder, LIGHTNING_FOLDER), files)
    if not candidates and not folder:
        candidates = _weights_of_folders(files)
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        shown = ", ".join(_with_file(name, file) for file in candidates[:_NAMES_SHOWN])
        raise CheckpointError(f"{name} has several files that could be weights. Pass one: {shown}.")
    raise CheckpointError(f"{name} has no file that could be weights. {_content(name, files)}")


def _weights_in(folder: str, files: list[str]) -> list[str]:
    names = []
    for file in files:
        path = PurePosixPath(file)
        if path.parent == PurePosixPath(folder):
            names.append(path.name)
    return [_joined(folder, chosen) for chosen in weight_names(names)]


def _weights_of_folders(files: list[str]) -> list[str]:
    folders = sorted({PurePosixPath(file).parent.as_posix() for file in files})
    candidates = []
    for folder in folders:
        candidates += _weights_in(folder, files)
    return candidates


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _with_file(name: HubName, file: str) -> str:
    return excerpt(HubName(name.repository, name.revision, file))


def _content(name: HubName, files: list[str]) -> str:
    shown = ", ".join(excerpt(file, 60) for file in sorted(files)[:_NAMES_SHOWN]) or "nothing"
    more = ", ..." if len(files) > _NAMES_SHOWN else ""
    return f"{name.repository} holds {shown}{more}; pass one of them after the colon."


def _beside(file: str, sizes: Mapping[str, int | None]) -> dict[str, int]:
    """The files beside a weight file that a model needs, and the most bytes of each."""
    folder = PurePosixPath(file).parent
    limits = {}
    for name, limit in BESIDE.items():
        path = str(folder / name)
        if path in sizes:
            limits[path] = limit
    return limits


def _check_size(name: HubName, file: str, size: int | None, limit: int) -> None:
    if size is None:
        with _explained(name):
            url = huggingface_hub.hf_hub_url(name.repository, file, revision=name.revision)
            size = huggingface_hub.get_hf_file_metadata(url).size
    if size is None or size > limit:
        actual = "no size" if size is None else f"{size:,} bytes"
        raise CheckpointError(
            f"{_with_file(name, file)} has {actual}, but at most {limit:,} are downloaded. Pass "
            "another file, or download it yourself and pass its path."
        )


def _from_cache(name: HubName, reason: str) -> HubCheckpoint:
    """The checkpoint as it is in the cache.

    Raises:
        CheckpointError: it is not in there.
    """
    snapshot = _snapshot(name)
    if snapshot is None:
        raise CheckpointError(
            f"{reason}, and {name} is not in the cache ({constants.HF_HUB_CACHE}). Run the same "
            "command once with a connection and without HF_HUB_OFFLINE, or pass a path."
        )
    files = []
    for path in snapshot.rglob("*"):
        if path.is_file():
            files.append(path.relative_to(snapshot).as_posix())
    try:
        file = _chosen(name, files)
    except CheckpointError as error:
        raise CheckpointError(f"{reason}, so only the cache was looked at: {error}") from error
    return HubCheckpoint(name.repository, snapshot.name, file, snapshot / file)


def _snapshot(name: HubName) -> Path | None:
    """The folder of a revision in the cache."""
    try:
        repositories = huggingface_hub.scan_cache_dir().repos
    except (huggingface_hub.CacheNotFound, ValueError, OSError):
        return None
    wanted = name.revision or _MAIN
    for repository in repositories:
        if (repository.repo_id, repository.repo_type) != (name.repository, "model"):
            continue
        for revision in repository.revisions:
            is_commit = len(wanted) >= 7 and revision.commit_hash.startswith(wanted)
            if is_commit or wanted in revision.refs:
                return Path(revision.snapshot_path)
    return None


def _first_line(error: Any) -> str:
    lines = str(error).strip().splitlines()
    return excerpt(lines[0] if lines else type(error).__name__).rstrip(".")
