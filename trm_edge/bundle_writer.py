"""Writes a bundle whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

from trm_edge.bundle import MANIFEST, Bundle
from trm_edge.errors import OutputError, OutputExistsError
from trm_edge.files import error_reason, hash_file, is_write_error
from trm_edge.interrupts import DeferredSignals
from trm_edge.manifest import FileRecord, Manifest
from trm_edge.staging import Staged, install, remove_leftovers, stage_folder


class BundleWriter:
    """Collects files in a hidden folder beside the output and puts it in place at the end.

    A context manager: leaving it by an exception removes the folder. A killed process leaves the
    old bundle or the new one, and at most a hidden folder, which the next export to the same place
    removes. Of two exports to one place at once the second is refused.

    Args:
        output: folder that will be the bundle.
        force: replace a bundle or an empty folder that is there.

    Raises:
        OutputExistsError: on entry: the output exists and ``force`` is not set, or it is not a
            bundle.
        OutputError: on entry: nothing can be written beside the output, or another process is
            writing to it; on exit: the disk is full or read-only.
    """

    def __init__(self, output: Path, *, force: bool = False) -> None:
        self.output = output
        self.force = force
        self.folder = output
        self._staged: Staged | None = None

    def __enter__(self) -> BundleWriter:
        place = self.output.resolve()
        try:
            with DeferredSignals():
                remove_leftovers(place)
                self._check()
                place.parent.mkdir(parents=True, exist_ok=True)
                self._staged, others = stage_folder(place)
            self.folder = self._staged.path
        except OSError as error:
            self._remove()
            raise self._cannot_write(error) from error
        except BaseException:
            self._remove()
            raise
        if others:
            self._remove()
            raise OutputError(
                f"another process ({others[0]}) is writing {self.output} now. Wait until it ends, "
                "or choose another -o."
            )
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()
        if isinstance(error, OSError) and self._is_ours(error):
            raise self._cannot_write(error) from error

    def _remove(self) -> None:
        if self._staged is not None:
            with DeferredSignals():
                self._staged.remove()

    def _is_ours(self, error: OSError) -> bool:
        """Whether an error is about writing this bundle, not about reading something else."""
        inside = str(error.filename or "").startswith(str(self.folder))
        return inside or is_write_error(error)

    def _cannot_write(self, error: OSError) -> OutputError:
        reason = error_reason(error)
        if is_write_error(error):
            reason = f"{reason}. Free some space there, or choose another -o"
        else:
            reason = f"{reason}. Choose another -o"
        return OutputError(f"cannot write {self.output}: {reason}.")

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
            (self.folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
            for path in self.folder.rglob("*"):
                if path.is_file():
                    _sync(path)
            with DeferredSignals():
                install(self.folder, self.output.resolve(), self._check)
        except OSError as error:
            raise self._cannot_write(error) from error
        return Bundle(self.output, manifest)

    def _check(self) -> None:
        check_output(self.output, force=self.force)


def check_output(output: Path, *, force: bool) -> None:
    """Refuse to overwrite, unless asked to, and then only a bundle or an empty folder.

    Args:
        output: folder that will be the bundle.
        force: overwriting was asked for.

    Raises:
        OutputError: the output cannot be looked at.
        OutputExistsError: says what is there.
    """
    try:
        exists = output.exists() or output.is_symlink()
        replaceable = exists and _is_replaceable(output)
    except OSError as error:
        raise OutputError(
            f"cannot write {output}: {error_reason(error)}. Choose another -o."
        ) from error
    if not exists:
        return
    if not force:
        raise OutputExistsError(
            f"{output} exists already. Pass --force to replace it, or another -o."
        )
    if not replaceable:
        raise OutputExistsError(
            f"{output} exists and is not a bundle, so --force does not replace it. Pass another -o."
        )


def _is_replaceable(output: Path) -> bool:
    """Whether it is a bundle or an empty folder."""
    if not output.is_dir() or output.is_symlink():
        return False
    return not any(output.iterdir()) or (output / MANIFEST).is_file()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
