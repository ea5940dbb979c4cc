"""A bundle on disk, its files checked when it is opened: all by hash, large tables by size."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trm_edge import bundle_records
from trm_edge.bundle_records import CALIBRATION as CALIBRATION
from trm_edge.bundle_records import FLOOR as FLOOR
from trm_edge.bundle_records import PARITY as PARITY
from trm_edge.bundle_records import SENSITIVITY as SENSITIVITY
from trm_edge.calibration_record import CalibrationRecord
from trm_edge.config import ModelConfig
from trm_edge.errors import BundleError
from trm_edge.files import error_reason
from trm_edge.identifiers import RowNames
from trm_edge.manifest import CPU, Manifest, TargetRecord
from trm_edge.name_index import INDEX_FILES, NameIndex
from trm_edge.progress import Track, silent
from trm_edge.puzzle_table import PUZZLE_EMBEDDINGS as PUZZLE_EMBEDDINGS
from trm_edge.puzzle_table import TABLE_FILES, PuzzleTable, open_table
from trm_edge.row_names_file import IDENTIFIERS as IDENTIFIERS
from trm_edge.row_names_file import open_names
from trm_edge.target_choice import chosen_target
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
HASHED_BYTES = 64 << 20  # of a file of the table or its names; larger ones are compared by size
_OPEN_TRIES = 5  # while exports replace the bundle


def load(path: str | Path) -> Bundle:
    """Open a bundle and verify its files, as :meth:`Bundle.open` does.

    Args:
        path: folder of the bundle.

    Raises:
        BundleError: a file is missing, foreign, newer, truncated or changed; names it.
    """
    return Bundle.open(path)


class Bundle:
    """An opened bundle, whose files agree with its manifest.

    A file is checked once more when it is used, since a bundle may be replaced meanwhile. The
    puzzle-embedding table and the names of its rows are compared by size and shape where they are
    larger than 64 MiB, and by hash where they are not; all other files by hash. :meth:`verify`
    hashes everything.

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
        self._files = VerifiedFiles(path, manifest.files, _large_tables(manifest))
        self._stamp: Stamp = ()  # of the manifest that was read

    @classmethod
    def open(cls, path: str | Path) -> Bundle:
        """Open a bundle and verify its files; large tables by size and shape.

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
            raise BundleError(_not_a_bundle(path))
        bundle = cls(path, Manifest.read(location))
        bundle._stamp = stamp
        bundle._files.verify_all()
        bundle.puzzle_embeddings()
        logger.debug("opened %s: %d files verified", path, len(bundle.manifest.files))
        return bundle

    def verify(self, track: Track = silent) -> int:
        """Hash every file, however large, and check the names of the rows one by one.

        Args:
            track: reports the files.

        Returns:
            The bytes of all files.

        Raises:
            BundleError: a file is missing, truncated or changed, or the names do not fit; names
                the first.
        """
        size = self._files.hash_all(track)
        names = self.identifiers()
        if isinstance(names, NameIndex):
            names.check()
        return size

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
        name = chosen_target(self.path, self.manifest.targets, name)
        return name, self.manifest.targets[name]

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
            BundleError: there is no such target, or its files are gone: another export has
                replaced the bundle.
        """
        from trm_edge.engines.record import ENGINE

        _, record = self.target(target)
        graph = self.path / record.step
        engine = graph.parent / ENGINE
        file = engine if engine.exists() else graph
        try:
            return file.stat().st_size
        except OSError as error:
            raise BundleError(
                f"cannot read {file}: {error_reason(error)}. Another export may have replaced the "
                "bundle; run the command again."
            ) from error

    def task(self) -> Task:
        """Make the task of this bundle, which reads puzzles, draws and judges answers.

        Raises:
            ConfigError: this version does not know the task.
        """
        from trm_edge.tasks import task_named

        task = task_named(self.manifest.task, self.config)
        return task.with_row_names(RowNames(self.identifiers))

    def puzzle_embeddings(self) -> PuzzleTable | None:
        """Map the puzzle-embedding table (N, E) into memory; None without one.

        Rows are taken by index, and are float32 however they are stored; see
        :class:`~trm_edge.puzzle_table.Int8Rows`.

        Raises:
            BundleError: the table was changed, or has another shape or type than the model's.
        """
        return open_table(self._files, self.config)

    def identifiers(self) -> Sequence[str] | None:
        """Open the names of the table's rows; None where the export did not know them.

        Returns:
            The name of row n at place n, as in the run's ``identifiers.json``.

        Raises:
            BundleError: the file is not what an export writes, or has more or fewer names.
        """
        return open_names(self._files, self.config.num_puzzle_identifiers)

    def parity(self) -> ParityVectors:
        """Read the float32 model's own answers to the held-out puzzles from ``parity.npz``.

        Raises:
            BundleError: the bundle has no such file, or it does not fit the model.
        """
        return bundle_records.read_parity(self._files, self.config)

    def calibration(self) -> CalibrationRecord | None:
        """Read ``calibration.json``; None where nothing was quantized.

        Raises:
            CalibrationError: the file is not what an export writes.
        """
        return bundle_records.read_calibration(self._files)

    def sensitivity(self) -> LayerRanking | None:
        """Read ``sensitivity.json``, the costliest layer first; None where none were ranked.

        Raises:
            BundleError: the file is not what an export writes.
        """
        return bundle_records.read_sensitivity(self._files)

    def floor(self) -> NumericsFloor | None:
        """Read ``floor.json``, what float arithmetic alone changes; None where it is not recorded.

        Raises:
            BundleError: the file is not what an export writes.
        """
        return bundle_records.read_floor(self._files)


def _not_a_bundle(path: Path) -> str:
    """Say what a path is that leads to no manifest."""
    export = "Make one with: trm-edge export"
    if not os.path.lexists(path):
        return f"there is no bundle {path}. Check the path. {export}"
    if path.name.startswith("step_") or any(path.glob("step_*")):
        return f"{path} is not a bundle, but a checkpoint. {export} {path} --int8"
    if path.is_dir():
        return f"{path} is not a bundle: there is no {MANIFEST} in it. {export}"
    if path.name == MANIFEST:
        return f"{path} is a file of a bundle. Pass its folder: {path.parent}"
    return f"{path} is not a folder, and a bundle is one. {export}"


def _large_tables(manifest: Manifest) -> list[str]:
    """The files of the table and its names that take long to hash."""
    large = []
    for name in (*TABLE_FILES, *INDEX_FILES):
        record = manifest.files.get(name)
        if record is not None and record.size > HASHED_BYTES:
            large.append(name)
    return large
