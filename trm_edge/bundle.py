"""A bundle on disk, every file checked by hash when it is opened."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trm_edge import calibration_record, records
from trm_edge.calibration_record import CalibrationRecord
from trm_edge.config import ModelConfig
from trm_edge.errors import BundleError
from trm_edge.files import hash_file
from trm_edge.manifest import FileRecord, Manifest, TargetRecord

if TYPE_CHECKING:
    from trm_edge.backends.base import Backend
    from trm_edge.backends.choice import Choice
    from trm_edge.evaluation.ranking import LayerRanking
    from trm_edge.evaluation.vectors import ParityVectors
    from trm_edge.loop.halting import HaltingRule
    from trm_edge.loop.solver import Solver, StepCallback
    from trm_edge.tasks.base import Task

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
CALIBRATION = "calibration.json"
SENSITIVITY = "sensitivity.json"
PARITY = "parity.npz"
PUZZLE_EMBEDDINGS = "puzzle_embeddings.npy"


def load(path: str | Path) -> Bundle:
    """Open a bundle and verify every file, as :meth:`Bundle.open` does.

    Args:
        path: folder of the bundle.

    Raises:
        BundleError: a file is missing, foreign, newer, truncated or changed; names it.
    """
    return Bundle.open(path)


class Bundle:
    """An opened bundle, whose files all agree with the hashes in its manifest.

    Args:
        path: folder of the bundle.
        manifest: its manifest; :meth:`open` reads and verifies it.

    >>> bundle = Bundle.open(Path("my-bundle"))  # doctest: +SKIP
    >>> with bundle.solver(batch=8) as solver:  # doctest: +SKIP
    ...     solutions = list(solver.solve(bundle.task().puzzles("puzzles.txt"), ordered=True))
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest

    @classmethod
    def open(cls, path: str | Path) -> Bundle:
        """Open a bundle and verify every file.

        Args:
            path: folder of the bundle.

        Raises:
            BundleError: a file is missing, foreign, newer, truncated or changed; names it.
        """
        path = Path(path)
        location = path / MANIFEST
        if not location.exists():
            raise BundleError(
                f"{path} is not a bundle: there is no {MANIFEST} in it. Make one with: trm-edge "
                "export"
            )
        bundle = cls(path, Manifest.read(location))
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
        """The model's configuration."""
        return self.manifest.model

    def target(self, name: str | None = None) -> tuple[str, TargetRecord]:
        """Find a target by name.

        Args:
            name: name of the target; by default ``cpu``, or the only one where there is no ``cpu``.

        Returns:
            Its name and its record.

        Raises:
            BundleError: there is no such target, or none is named and several could be meant;
                lists the targets.
        """
        targets = self.manifest.targets
        if name is None:
            if "cpu" in targets:
                name = "cpu"
            elif len(targets) == 1:
                name = next(iter(targets))
            else:
                raise BundleError(
                    f"{self.path} has several targets and none is cpu: {', '.join(targets)}. "
                    "Choose one with --target."
                )
        if name not in targets:
            raise BundleError(
                f"{self.path} has no target {name!r}; it has {', '.join(targets)}. Add one "
                f"with: trm-edge export --into {self.path} --target {name}"
            )
        return name, targets[name]

    def choose(self, target: str | None = None, *, threads: int = 0) -> Choice:
        """Choose what runs a target on this machine, and log why; nothing is loaded yet.

        Args:
            target: name of the target; by default as in :meth:`target`.
            threads: of the CPU; 0: every core.

        Returns:
            The backend and the reason for it.

        Raises:
            BundleError: there is no such target.
            EngineError: the target has an engine that does not fit this machine.
        """
        from trm_edge.backends.choice import CPU, choose

        name, record = self.target(target)
        choice = choose(self.path, name, record, self.config, threads=threads)
        level = logging.DEBUG if name == CPU else logging.INFO
        logger.log(level, "%s: %s; %s", name, choice.backend.describe(), choice.reason)
        return choice

    def backend(self, target: str | None = None, *, threads: int = 0) -> Backend:
        """Choose the backend that runs a target on this machine.

        Args:
            target: name of the target; by default as in :meth:`target`.
            threads: of the CPU; 0: every core.

        Raises:
            BundleError: there is no such target.
            EngineError: the target has an engine that does not fit this machine.
        """
        return self.choose(target, threads=threads).backend

    def solver(
        self,
        target: str | None = None,
        *,
        batch: int = 32,
        halting: HaltingRule | None = None,
        threads: int = 0,
        trace: bool = False,
        watch: StepCallback | None = None,
    ) -> Solver:
        """Make a solver that runs a target of this bundle; enter it as a context manager.

        Args:
            target: name of the target; by default as in :meth:`target`.
            batch: number of slots, puzzles worked on at once.
            halting: when a puzzle stops; the model's own rule by default.
            threads: of the CPU; 0: every core.
            trace: keep the prediction of every step.
            watch: called after every step; see :class:`~trm_edge.loop.solver.Solver`.

        Raises:
            BundleError: there is no such target.
            EngineError: the target has an engine that does not fit this machine.
            ConfigError: ``batch`` is not positive.
        """
        from trm_edge.loop.solver import Solver

        return Solver(
            self.backend(target, threads=threads),
            self.puzzle_embeddings(),
            halting=halting,
            batch=batch,
            trace=trace,
            watch=watch,
        )

    def size_of(self, target: str | None = None) -> int:
        """Return the bytes of a target's engine where one was built, else of its step graph.

        Args:
            target: name of the target; by default as in :meth:`target`.

        Raises:
            BundleError: there is no such target.
        """
        from trm_edge.engines.record import ENGINE

        _, record = self.target(target)
        graph = self.path / record.step
        engine = graph.parent / ENGINE
        return (engine if engine.exists() else graph).stat().st_size

    def task(self) -> Task:
        """Make the task of this bundle, which reads puzzles, draws and judges answers.

        Raises:
            ConfigError: this version does not know the task.
        """
        from trm_edge.tasks import task_named

        return task_named(self.manifest.task, self.config)

    def puzzle_embeddings(self) -> NDArray[np.float32] | None:
        """Open the puzzle-embedding table (N, E) float32, memory-mapped; None without one."""
        if PUZZLE_EMBEDDINGS not in self.manifest.files:
            return None
        table: NDArray[np.float32] = np.load(
            self.path / PUZZLE_EMBEDDINGS, mmap_mode="r", allow_pickle=False
        )
        return table

    def parity(self) -> ParityVectors:
        """Read the float32 model's own answers to the held-out puzzles from ``parity.npz``.

        Raises:
            BundleError: an array is missing or has another shape.
        """
        from trm_edge.evaluation.vectors import ParityVectors

        with np.load(self.path / PARITY, allow_pickle=False) as arrays:
            return ParityVectors.from_arrays({name: arrays[name] for name in arrays.files})

    def calibration(self) -> CalibrationRecord | None:
        """Read ``calibration.json``; None where nothing was quantized.

        Raises:
            CalibrationError: the file is not what an export writes.
        """
        if CALIBRATION not in self.manifest.files:
            return None
        return records.read(
            self.path / CALIBRATION,
            CalibrationRecord,
            calibration_record.KIND,
            migrate=calibration_record.migrate,
        )

    def sensitivity(self) -> LayerRanking | None:
        """Read ``sensitivity.json``, the costliest layer first; None where none were ranked.

        Raises:
            BundleError: the file is not what an export writes.
        """
        if SENSITIVITY not in self.manifest.files:
            return None
        from trm_edge.evaluation import ranking

        return records.read(
            self.path / SENSITIVITY,
            ranking.LayerRanking,
            ranking.KIND,
            upgrade=ranking.upgraded,
        )
