"""Writes a folder whole or not at all."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from trm_edge.errors import OutputError, OutputExistsError
from trm_edge.files import error_reason, is_write_error
from trm_edge.folder_swap import install
from trm_edge.interrupts import DeferredSignals
from trm_edge.staging import Staged, remove_leftovers, stage_folder

Writer = TypeVar("Writer", bound="FolderWriter")


class FolderWriter(ABC):
    """Collects files in a hidden folder beside the output and puts it in place at the end.

    A context manager: leaving it by an exception removes the folder. A killed process leaves the
    old output or the new one, and at most a hidden folder, which the next run to the same place
    removes. Of two runs to one place at once the second is refused.

    Args:
        output: the folder that will be written.
        force: replace what is there, if :meth:`is_replaceable`.

    Raises:
        OutputExistsError: on entry: the output exists and ``force`` is not set, or must not be
            replaced.
        OutputError: on entry: nothing can be written beside the output, or another process is
            writing to it; on exit: the disk is full or read-only.
    """

    def __init__(self, output: Path, *, force: bool = False) -> None:
        self.output = output
        self.force = force
        self.folder = output
        self._staged: Staged | None = None

    @staticmethod
    @abstractmethod
    def is_replaceable(folder: Path) -> bool:
        """Tell whether ``force`` may replace a folder.

        Args:
            folder: that is there; neither empty nor a link.
        """

    @staticmethod
    @abstractmethod
    def noun() -> str:
        """Return what the output is, with its article."""

    def __enter__(self: Writer) -> Writer:
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
        """Whether an error is about writing this folder, not about reading something else."""
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
            name: path of the file inside the folder.
        """
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def install(self) -> None:
        """Put the folder in its place.

        Raises:
            OutputExistsError: something was put at the output in the meantime.
            OutputError: the folder cannot be renamed.
        """
        try:
            for path in self.folder.rglob("*"):
                if path.is_file():
                    _sync(path)
            with DeferredSignals():
                install(self.folder, self.output.resolve(), self._check)
        except OSError as error:
            raise self._cannot_write(error) from error

    def _check(self) -> None:
        self.check_output(self.output, force=self.force)

    @classmethod
    def check_output(cls, output: Path, *, force: bool) -> None:
        """Refuse to overwrite, unless asked to, and then only what may be replaced.

        Args:
            output: the folder that will be written.
            force: overwriting was asked for.

        Raises:
            OutputError: the output cannot be looked at.
            OutputExistsError: says what is there.
        """
        try:
            exists = output.exists() or output.is_symlink()
            replaceable = exists and cls._may_replace(output)
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
                f"{output} exists and is not {cls.noun()}, so --force does not replace it. Pass "
                "another -o."
            )

    @classmethod
    def _may_replace(cls, output: Path) -> bool:
        if not output.is_dir() or output.is_symlink():
            return False
        return not any(output.iterdir()) or cls.is_replaceable(output)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
