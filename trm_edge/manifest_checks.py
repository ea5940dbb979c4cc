"""What a manifest may name and ask for: a bundle is not trusted, and time and memory follow."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from trm_edge.config import ModelConfig
from trm_edge.errors import BundleError

_MAX_FILES = 1000
_MAX_BUNDLE_BYTES = 8 << 30  # of all files together
_MAX_STEPS = 1000  # ACT steps of a puzzle
_MAX_SLOT_ELEMENTS = 1 << 26  # of a carry, or of the logits, for one puzzle: 256 MiB of float32
_MAX_PATH = 512  # characters
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # of a target
_SHA256 = re.compile(r"[0-9a-f]{64}")


def check_target_name(name: str, where: str) -> None:
    """Refuse a name that is not fit for a target.

    Args:
        name: as the manifest has it.
        where: names the manifest in errors.

    Raises:
        BundleError: the name has other characters than letters, digits, dots and hyphens.
    """
    if not _NAME.fullmatch(name):
        raise BundleError(
            f"{where}: {name[:100]!r} is not a name of a target, which has letters, digits, dots "
            "and hyphens. Export the bundle again."
        )


def check_inside(path: str, where: str) -> None:
    """Refuse a path that could lead out of the bundle.

    Args:
        path: as the manifest has it.
        where: names the manifest in errors.

    Raises:
        BundleError: the path is absolute, too long, or has ``..``, a backslash, a drive or control
            characters.
    """
    parts = PurePosixPath(path).parts
    leads_out = path.startswith("/") or ".." in parts or "\\" in path or ":" in path
    if not parts or leads_out or not path.isprintable() or len(path) > _MAX_PATH:
        raise BundleError(
            f"{where} names the path {path[:_MAX_PATH]!r}, which leads out of the bundle or has "
            "characters that no export writes. It was not written by trm-edge; do not use it."
        )


def check_file(path: str, size: int, sha256: str, where: str) -> None:
    """Refuse a size or hash that no file has.

    Args:
        path: of the file inside the bundle.
        size: bytes, as the manifest has it.
        sha256: hash, as the manifest has it.
        where: names the manifest in errors.

    Raises:
        BundleError: names the file.
    """
    if size < 0 or not _SHA256.fullmatch(sha256):
        raise BundleError(
            f"{where}: the size and sha256 of {path} are not those of a file. Export the bundle "
            "again."
        )


def check_limits(files: int, size: int, model: ModelConfig, where: str) -> None:
    """Refuse a bundle that asks for more time or memory than any model needs.

    Args:
        files: number of files.
        size: bytes of all files together.
        model: configuration of the model.
        where: names the manifest in errors.

    Raises:
        BundleError: names the limit.
    """
    carry = model.carry_len * model.hidden_size
    logits = model.seq_len * model.vocab_size
    limits = [
        ("files", files, _MAX_FILES),
        ("bytes in its files", size, _MAX_BUNDLE_BYTES),
        ("steps (halt_max_steps)", model.halt_max_steps, _MAX_STEPS),
        ("numbers in a carry", carry, _MAX_SLOT_ELEMENTS),
        ("logits of a puzzle", logits, _MAX_SLOT_ELEMENTS),
    ]
    for description, value, limit in limits:
        if value > limit:
            raise BundleError(
                f"{where} asks for {value} {description}, but at most {limit} are allowed. It is "
                "damaged, or was made to exhaust this machine; do not use it."
            )
