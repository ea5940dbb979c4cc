"""Options of a run over blocks of rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trm_edge.bundle import MANIFEST, Bundle
from trm_edge.cli.search_options import SearchOptions
from trm_edge.errors import BundleError
from trm_edge.files import hash_file
from trm_edge.loop.halting import HaltingRule


@dataclass(frozen=True)
class SolveOptions:
    """Everything that a worker needs to solve blocks; it can be pickled.

    Args:
        bundle: folder of the bundle.
        manifest_sha256: of its manifest when the run began.
        target: of the bundle; None: ``cpu``, or the only one.
        halting: when a puzzle stops.
        search: tries at a puzzle, and which answers are given.
        slots: puzzles worked on at once.
        threads: of the CPU; 0: every core.
    """

    bundle: Path
    manifest_sha256: str
    target: str | None
    halting: HaltingRule
    search: SearchOptions
    slots: int
    threads: int = 0

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        target: str | None,
        *,
        halting: HaltingRule,
        search: SearchOptions,
        slots: int,
        threads: int = 0,
    ) -> SolveOptions:
        """Make the options of a run that begins with an opened bundle.

        Args:
            bundle: whose manifest the workers compare with theirs.
            target: of the bundle; None: ``cpu``, or the only one.
            halting: when a puzzle stops.
            search: tries at a puzzle, and which answers are given.
            slots: puzzles worked on at once.
            threads: of the CPU; 0: every core.

        Raises:
            BundleError: the bundle was replaced after it was opened.
        """
        sha256 = hash_file(bundle.path / MANIFEST)
        if bundle.was_replaced():
            raise BundleError(f"{bundle.path} was replaced while it was opened. Start again.")
        return cls(bundle.path, sha256, target, halting, search, slots, threads)
