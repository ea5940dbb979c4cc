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

    Args:
        output: folder that will be the bundle.
        force: replace a bundle or an empty folder that is there.

    Raises:
        OutputExistsError: on entry: the output exists and ``force`` is not set, or it is not a
            bundle.
        OutputError: on entry: nothing can be written beside the output.
    """

    def __init__(self, output: Path, *, force: bool = False) -> None:
        self.output = output
        self.force = force
        self.folder = output

    def __enter__(self) -> BundleWriter:
        check_output(self.output, force=self.force)
        parent = self.output.parent
        try:
            parent.mkdir(parents=True, exist_ok=True)
            self.folder = Path(tempfile.mkdtemp(prefix=f".{self.output.name}.", dir=parent))
            self.folder.chmod(0o777 & ~_umask())
        except OSError as error:
            raise OutputError(
                f"cannot write {self.output}: {error.strerror}. Choose another -o."
            ) from error
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.folder != self.output:
            shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name: str) -> Path:
        """Return where to write a file; its folder exists.

        Args:
            name: path of the file inside the bundle.
        """
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def records(self) -> dict[str, FileRecord]:
        """Hash every file written so far.

        Returns:
            The records by path inside the bundle, in alphabetical order.
        """
        records = {}
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                name = path.relative_to(self.folder).as_posix()
                records[name] = FileRecord(hash_file(path), path.stat().st_size)
        return records

    def finish(self, manifest: Manifest) -> Bundle:
        """Write the manifest and put the bundle in its place.

        Args:
            manifest: names every file, as :meth:`records` gives them.

        Returns:
            The bundle, opened.

        Raises:
            OutputExistsError: something was put at the output in the meantime.
            OutputError: the manifest cannot be written, or the folder cannot be renamed.
        """
        try:
            self._install(manifest)
        except OSError as error:
            raise OutputError(
                f"cannot write {self.output}: {error.strerror or error}. Choose another -o."
            ) from error
        return Bundle(self.output, manifest)

    def _install(self, manifest: Manifest) -> None:
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
        self.folder = self.output
        if previous is not None:
            shutil.rmtree(previous, ignore_errors=True)


def check_output(output: Path, *, force: bool) -> None:
    """Refuse to overwrite, unless asked to, and then only a bundle or an empty folder.

    Args:
        output: folder that will be the bundle.
        force: overwriting was asked for.

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
    if replaceable and any(output.iterdir()):
        replaceable = (output / MANIFEST).is_file()
    if not replaceable:
        raise OutputExistsError(
            f"{output} exists and is not a bundle, so --force does not replace it. Pass another -o."
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
