"""A bundle on disk, every file checked by hash when it is opened."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trm_edge import calibration_record, records
from trm_edge.arrays import ArrayError, map_array
from trm_edge.calibration_record import CalibrationRecord
from trm_edge.config import ModelConfig
from trm_edge.errors import BundleError
from trm_edge.identifiers import LARGEST_NAMES, NamesError, RowNames, unpack_names
from trm_edge.manifest import CPU, Manifest, TargetRecord
from trm_edge.suggestions import did_you_mean
from trm_edge.verified_files import Stamp, VerifiedFiles, stamp_of

if TYPE_CHECKING:
    from trm_edge.backends.base import Backend
    from trm_edge.backends.choice import Choice
    from trm_edge.evaluation.floor import NumericsFloor
    from trm_edge.evaluation.ranking import LayerRanking
    from trm_edge.evaluation.vectors import ParityVectors
    from trm_edge.loop.halting import HaltingRule
    from trm_edge.loop.solver import Solver, StepCallback
    from trm_edge.tasks.base import Task

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
CALIBRATION = "calibration.json"
SENSITIVITY = "sensitivity.json"
FLOOR = "floor.json"
PARITY = "parity.npz"
PUZZLE_EMBEDDINGS = "puzzle_embeddings.npy"
IDENTIFIERS = "identifiers.json.gz"
_MAX_VECTOR_BYTES = 256 << 20  # of parity.npz, compressed
_OPEN_TRIES = 5  # while exports replace the bundle


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

    A file is checked once more when it is used, since a bundle may be replaced meanwhile.

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
        self._files = VerifiedFiles(path, manifest.files)
        self._stamp: Stamp = ()  # of the manifest that was read

    @classmethod
    def open(cls, path: str | Path) -> Bundle:
        """Open a bundle and verify every file.

        A bundle that an export replaces meanwhile is opened again.

        Args:
            path: folder of the bundle.

        Raises:
            BundleError: a file is missing, foreign, newer, truncated or changed; names it.
        """
        path = Path(path)
        for _ in range(_OPEN_TRIES - 1):
            stamp = stamp_of(path / MANIFEST)
            try:
                return cls._open(path, stamp)
            except BundleError:
                if stamp_of(path / MANIFEST) == stamp:
                    raise
                logger.debug("%s was replaced while it was opened", path)
        return cls._open(path, stamp_of(path / MANIFEST))

    @classmethod
    def _open(cls, path: Path, stamp: Stamp) -> Bundle:
        location = path / MANIFEST
        if not os.path.lexists(location):
            raise BundleError(
                f"{path} is not a bundle: there is no {MANIFEST} in it. Make one with: trm-edge "
                "export"
            )
        bundle = cls(path, Manifest.read(location))
        bundle._stamp = stamp
        bundle._files.verify_all()
        logger.debug("opened %s: %d files, hashes verified", path, len(bundle.manifest.files))
        return bundle

    def was_replaced(self) -> bool:
        """Tell whether another export has taken the place of the bundle since it was opened."""
        return bool(self._stamp) and stamp_of(self.path / MANIFEST) != self._stamp

    def read(self, name: str) -> bytes:
        """Read a file of the bundle and verify what was read.

        Args:
            name: path inside the bundle, as the manifest has it.

        Raises:
            BundleError: it is missing, is not a regular file or was changed; names it.
        """
        return self._files.read(name)

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
                f"{self.path} has no target {name!r}; it has {', '.join(targets)}."
                f"{did_you_mean(name, targets)} {self._how_to_add(name)}"
            )
        return name, targets[name]

    def _how_to_add(self, name: str) -> str:
        """The command that gives the bundle another target."""
        records = self.manifest.targets
        options = " ".join(f"--target {target}" for target in [*records, name])
        if list(records) == [CPU] and records[CPU].precision == "int8":
            # A CPU rounds some inputs per token, so its calibration lacks their static ranges.
            return f"Export the checkpoint again with: --int8 {options}"
        return f"Add it with: trm-edge export --into {self.path} --target {name}"

    def choose(self, target: str | None = None, *, threads: int = 0) -> Choice:
        """Choose what runs a target on this machine, and log why; nothing is loaded yet.

        Args:
            target: name of the target; by default as in :meth:`target`.
            threads: of the CPU, at most 4 per core or 64; 0: every core.

        Returns:
            The backend and the reason for it.

        Raises:
            BundleError: there is no such target.
            EngineError: the target has an engine that does not fit this machine.
            ConfigError: ``threads`` is negative or too large.
        """
        from trm_edge.backends.choice import choose

        name, record = self.target(target)
        sha256 = self.manifest.files[record.step].sha256
        choice = choose(self.path, name, record, self.config, threads=threads, sha256=sha256)
        level = logging.DEBUG if name == CPU else logging.INFO
        logger.log(level, "%s: %s; %s", name, choice.backend.describe(), choice.reason)
        return choice

    def backend(self, target: str | None = None, *, threads: int = 0) -> Backend:
        """Choose the backend that runs a target on this machine.

        Args:
            target: name of the target; by default as in :meth:`target`.
            threads: of the CPU, at most 4 per core or 64; 0: every core.

        Raises:
            BundleError: there is no such target.
            EngineError: the target has an engine that does not fit this machine.
            ConfigError: ``threads`` is negative or too large.
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
        measure_changes: bool = False,
        deadline: float | None = None,
        watch: StepCallback | None = None,
    ) -> Solver:
        """Make a solver that runs a target of this bundle; enter it as a context manager.

        Args:
            target: name of the target; by default as in :meth:`target`.
            batch: number of slots, puzzles worked on at once.
            halting: when a puzzle stops; the model's own rule by default.
            threads: of the CPU, at most 4 per core or 64; 0: every core.
            trace: keep the prediction of every step.
            measure_changes: measure how much the logits change from step to step.
            deadline: seconds from taking a puzzle to handing out its answer.
            watch: called after every step; see :class:`~trm_edge.loop.solver.Solver`.

        Raises:
            BundleError: there is no such target.
            EngineError: the target has an engine that does not fit this machine.
            ConfigError: ``batch`` or ``deadline`` is not positive, or ``threads`` is negative or
                too large.
        """
        from trm_edge.loop.solver import Solver

        return Solver(
            self.backend(target, threads=threads),
            self.puzzle_embeddings(),
            halting=halting,
            batch=batch,
            trace=trace,
            measure_changes=measure_changes,
            deadline=deadline,
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

        task = task_named(self.manifest.task, self.config)
        return task.with_row_names(RowNames(self.identifiers))

    def puzzle_embeddings(self) -> NDArray[np.float32] | None:
        """Open the puzzle-embedding table (N, E) float32, memory-mapped; None without one.

        Raises:
            BundleError: the table was changed, or has another shape or type than the model's.
        """
        record = self.manifest.files.get(PUZZLE_EMBEDDINGS)
        if record is None:
            return None
        shape = (self.config.num_puzzle_identifiers, self.config.puzzle_emb_ndim)
        with self._files.open(PUZZLE_EMBEDDINGS) as file:
            try:
                return map_array(file, record.size, shape, np.dtype(np.float32))
            except ArrayError as error:
                raise BundleError(
                    f"{self.path / PUZZLE_EMBEDDINGS} is not the model's table of puzzle "
                    f"embeddings: {error}. Export the bundle again."
                ) from error

    def identifiers(self) -> list[str] | None:
        """Read the names of the table's rows; None where the export did not know them.

        Returns:
            The name of row n at place n, as in the run's ``identifiers.json``.

        Raises:
            BundleError: the file is not what an export writes, or has more or fewer names.
        """
        record = self.manifest.files.get(IDENTIFIERS)
        if record is None:
            return None
        try:
            if record.size > LARGEST_NAMES:
                raise NamesError(f"it is larger than {LARGEST_NAMES >> 20} MiB")
            return unpack_names(self.read(IDENTIFIERS), self.config.num_puzzle_identifiers)
        except NamesError as error:
            raise BundleError(
                f"{self.path / IDENTIFIERS} does not name the model's rows: {error}. Export the "
                "bundle again."
            ) from error

    def parity(self) -> ParityVectors:
        """Read the float32 model's own answers to the held-out puzzles from ``parity.npz``.

        Raises:
            BundleError: the bundle has no such file, or it does not fit the model.
        """
        from trm_edge.evaluation.vectors import ParityVectors

        path = self.path / PARITY
        if PARITY not in self.manifest.files:
            raise BundleError(f"{path} is not in the bundle. Export it again.")
        if self.manifest.files[PARITY].size > _MAX_VECTOR_BYTES:
            raise BundleError(
                f"{path} is larger than {_MAX_VECTOR_BYTES >> 20} MiB. Export the bundle again "
                "with fewer held-out puzzles."
            )
        return ParityVectors.decode(self.read(PARITY), self.config, str(path))

    def calibration(self) -> CalibrationRecord | None:
        """Read ``calibration.json``; None where nothing was quantized.

        Raises:
            CalibrationError: the file is not what an export writes.
        """
        if CALIBRATION not in self.manifest.files:
            return None
        return records.decode(
            self._record(CALIBRATION),
            CalibrationRecord,
            calibration_record.KIND,
            str(self.path / CALIBRATION),
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

        return records.decode(
            self._record(SENSITIVITY),
            ranking.LayerRanking,
            ranking.KIND,
            str(self.path / SENSITIVITY),
            upgrade=ranking.upgraded,
        )

    def floor(self) -> NumericsFloor | None:
        """Read ``floor.json``, what float arithmetic alone changes; None where it is not recorded.

        Raises:
            BundleError: the file is not what an export writes.
        """
        if FLOOR not in self.manifest.files:
            return None
        from trm_edge.evaluation import floor

        return records.decode(
            self._record(FLOOR), floor.NumericsFloor, floor.KIND, str(self.path / FLOOR)
        )

    def _record(self, name: str) -> bytes:
        """Read a JSON file of the bundle, unless it is too large to be parsed."""
        if self.manifest.files[name].size > records.MAX_BYTES:
            raise BundleError(
                f"{self.path / name} is larger than {records.MAX_BYTES >> 20} MiB. Export the "
                "bundle again."
            )
        return self.read(name)
