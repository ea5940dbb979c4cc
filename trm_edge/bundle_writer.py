"""Writes a bundle whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType

from trm_edge.bundle import MANIFEST, Bundle
from trm_edge.errors import OutputError, OutputExistsError
from trm_edge.files import hash_file
from trm_edge.manifest import FileRecord, Manifest


class BundleWriter:
    """Collects files in a temporary folder beside the output and renames it at the end.

    A context manager: leaving it by an exception removes the folder. A killed process leaves at
    most a hidden temporary folder, never something that looks like a bundle.

    Raises (on entry):
        OutputExistsError: the output exists and ``force`` is not set, or is no bundle.
    """

    def __init__(self, output: Path, *, force: bool = False) -> None:
        self.output = output
        self.force = force
        self.folder = output

    def __enter__(self) -> BundleWriter:
        check_output(self.output, force=self.force)
        try:
            self.output.parent.mkdir(parents=True, exist_ok=True)
            self.folder = Path(
                tempfile.mkdtemp(prefix=f".{self.output.name}.", dir=self.output.parent)
            )
        except OSError as error:
            raise OutputError(
                f"cannot write beside {self.output}: {error.strerror}. Choose another -o."
            ) from error
        self.folder.chmod(0o777 & ~_umask())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.folder != self.output:
            shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name: str) -> Path:
        """Where to write the file ``name``; its folder exists."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def records(self) -> dict[str, FileRecord]:
        """Hash and size of every file written so far."""
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return {
            path.relative_to(self.folder).as_posix(): FileRecord(
                hash_file(path), path.stat().st_size
            )
            for path in files
        }

    def finish(self, manifest: Manifest) -> Bundle:
        """Write the manifest and put the bundle in its place."""
        (self.folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
        for path in self.folder.rglob("*"):
            if path.is_file():
                _sync(path)
        previous: Path | None = None
        if self.output.exists():
            check_output(self.output, force=self.force)
            previous = self.folder.with_name(f"{self.folder.name}.old")
            self.output.rename(previous)
        self.folder.rename(self.output)
        if previous is not None:
            shutil.rmtree(previous, ignore_errors=True)
        self.folder = self.output
        return Bundle(self.output, manifest)


def check_output(output: Path, *, force: bool) -> None:
    """Refuse to overwrite, unless asked to, and then only a bundle or an empty folder.

    Raises:
        OutputExistsError: says what is there.
    """
    if not output.exists() and not output.is_symlink():
        return
    if not force:
        raise OutputExistsError(
            f"{output} exists already. Pass --force to replace it, or another -o."
        )
    replaceable = output.is_dir() and not output.is_symlink()
    if not replaceable or (any(output.iterdir()) and not (output / MANIFEST).is_file()):
        raise OutputExistsError(
            f"{output} exists and is no bundle, so --force does not replace it. Pass another -o."
        )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
