"""The artifact on disk: written whole or not at all, checked by hash when opened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.config import ModelConfig
from trm_edge.errors import BundleError
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
