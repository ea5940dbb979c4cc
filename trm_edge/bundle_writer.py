"""Writes a bundle whole or not at all."""

from __future__ import annotations

from pathlib import Path

from trm_edge.bundle import MANIFEST, Bundle
from trm_edge.files import hash_file
from trm_edge.folder_writer import FolderWriter
from trm_edge.manifest import FileRecord, Manifest


class BundleWriter(FolderWriter):
    """Collects a bundle's files in a hidden folder and puts it in place at the end.

    Args:
        output: folder that will be the bundle.
        force: replace a bundle or an empty folder that is there.

    Raises:
        OutputExistsError: on entry: the output exists and ``force`` is not set, or it is not a
            bundle.
        OutputError: on entry: nothing can be written beside the output, or another process is
            writing to it; on exit: the disk is full or read-only.
    """

    @staticmethod
    def is_replaceable(folder: Path) -> bool:
        """Tell whether a folder is a bundle.

        Args:
            folder: that is there; neither empty nor a link.
        """
        return (folder / MANIFEST).is_file()

    @staticmethod
    def noun() -> str:
        """Return what the output is, with its article."""
        return "a bundle"

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
        except OSError as error:
            raise self._cannot_write(error) from error
        self.install()
        return Bundle(self.output, manifest)
