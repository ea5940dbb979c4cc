"""The artifact on disk: written whole or not at all, checked by hash when opened."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.config import ModelConfig
from trm_edge.errors import BundleError, OutputExistsError
from trm_edge.files import hash_file
from trm_edge.manifest import FileRecord, Manifest, TargetRecord

if TYPE_CHECKING:
    from trm_edge.backends.base import Backend
    from trm_edge.tasks.base import Task

MANIFEST = "manifest.json"
CALIBRATION = "calibration.json"
SENSITIVITY = "sensitivity.json"
PARITY = "parity.npz"
PUZZLE_EMBEDDINGS = "puzzle_embeddings.npy"


class Bundle:
    """An opened bundle. Every file was hashed and agrees with the manifest.

    >>> bundle = Bundle.open(Path("my-bundle"))  # doctest: +SKIP
    >>> with Solver(bundle.backend("cpu"), bundle.puzzle_embeddings()) as solver:  # doctest: +SKIP
    ...     solutions = list(solver.solve(puzzles))
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest

    @classmethod
    def open(cls, path: Path) -> Bundle:
        """Open and verify.

        Raises:
            BundleError: missing, foreign, newer, truncated or tampered with; says which file.
        """
        location = path / MANIFEST
        try:
            text = location.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise BundleError(
                f"{path} is no bundle: there is no {MANIFEST} in it. Make one with: trm-edge export"
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise BundleError(f"{location} cannot be read: {error}.") from error
        bundle = cls(path, Manifest.from_json(text, str(location)))
        for name, record in bundle.manifest.files.items():
            bundle._check(name, record)
        return bundle

    def _check(self, name: str, record: FileRecord) -> None:
        file = self.path / name
        if not file.resolve().is_relative_to(self.path.resolve()):
            raise BundleError(f"{file} is a link that leads out of the bundle; do not use it.")
        if not file.is_file():
            raise BundleError(f"{file} is missing: the bundle is incomplete. Export it again.")
        size = file.stat().st_size
        if size != record.size:
            raise BundleError(
                f"{file} has {size} bytes, but {record.size} were written: the bundle is "
                "truncated or was changed. Copy or export it again."
            )
        if hash_file(file) != record.sha256:
            raise BundleError(
                f"{file} is not what was exported (its sha256 differs from the manifest's): the "
                "bundle is damaged or was tampered with. Copy or export it again."
            )

    @property
    def config(self) -> ModelConfig:
        return self.manifest.model

    def target(self, name: str | None = None) -> tuple[str, TargetRecord]:
        """The target of that name; without one, ``cpu`` or the bundle's only target.

        Raises:
            BundleError: there is no such target; lists those there are.
        """
        targets = self.manifest.targets
        if name is None:
            name = "cpu" if "cpu" in targets else next(iter(targets))
        if name not in targets:
            raise BundleError(
                f"{self.path} holds no target {name!r}; it has {', '.join(targets)}. Add one "
                f"with: trm-edge export --target {name}"
            )
        return name, targets[name]

    def backend(self, target: str | None = None, *, threads: int = 0) -> Backend:
        """What runs a target on this machine, not yet loaded; :func:`choose` says why that.

        Raises:
            BundleError: there is no such target.
            EngineError: the target has an engine that does not fit what is here.
        """
        from trm_edge.backends.choice import choose

        name, record = self.target(target)
        return choose(self.path, name, record, self.config, threads=threads).backend

    def task(self) -> Task:
        """The task of this bundle: reads puzzles, draws and judges answers."""
        from trm_edge.tasks import task_named

        return task_named(self.manifest.task, self.config)

    def puzzle_embeddings(self) -> NDArray[np.float32] | None:
        """The table (N, E) float32, memory-mapped, or None where the model has none."""
        if PUZZLE_EMBEDDINGS not in self.manifest.files:
            return None
        table: NDArray[np.float32] = np.load(
            self.path / PUZZLE_EMBEDDINGS, mmap_mode="r", allow_pickle=False
        )
        return table

    def parity_vectors(self) -> dict[str, NDArray[Any]]:
        """Arrays of ``parity.npz``; see :mod:`trm_edge.evaluation.vectors`."""
        with np.load(self.path / PARITY, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}

    def calibration(self) -> dict[str, Any] | None:
        """``calibration.json``, or None where nothing was quantized."""
        if CALIBRATION not in self.manifest.files:
            return None
        values: dict[str, Any] = json.loads((self.path / CALIBRATION).read_text())
        return values

    def sensitivity(self) -> list[dict[str, Any]] | None:
        """``sensitivity.json``, the layers that cost most first; None where none were ranked."""
        if SENSITIVITY not in self.manifest.files:
            return None
        layers: list[dict[str, Any]] = json.loads((self.path / SENSITIVITY).read_text())
        return layers


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
            raise BundleError(
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
