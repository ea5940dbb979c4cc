"""A model that a search is measured with, in both precisions."""

from __future__ import annotations

from pathlib import Path

from lib.search_puzzles import harder_set, held_out_set
from lib.tries import PuzzleSet
from trm_edge.bundle import Bundle
from trm_edge.export.checkpoint import Checkpoint
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solver import Solver
from trm_edge.profile import Precision
from trm_edge.targets.export_bundle import export_bundle
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.request import ExportRequest
from trm_edge.tasks import task_for

PRECISIONS: dict[str, Precision] = {"float32": "fp32", "int8": "int8"}


class Subject:
    """A model with its puzzles, and its bundles in both precisions.

    Args:
        name: for the tables.
        checkpoint: the model.
        bundles: folder for its bundles, which are reused.
        count: number of puzzles in each set.
        hard: also solve harder puzzles.
        batch: number of slots.
        threads: CPU threads; 0 for every core.
    """

    def __init__(
        self,
        name: str,
        checkpoint: Checkpoint,
        bundles: Path,
        count: int,
        *,
        hard: bool = True,
        batch: int = 32,
        threads: int = 0,
    ) -> None:
        self.name = name
        self.checkpoint = checkpoint
        self.config = checkpoint.config
        self.task = task_for(self.config)
        self._bundles = bundles
        self._batch = batch
        self._threads = threads
        self._count = count
        self._hard = hard

    def sets(self) -> list[PuzzleSet]:
        """Make the sets of puzzles."""
        puzzle_sets = [held_out_set(self.task, self._count)]
        if self._hard:
            puzzle_sets.append(harder_set(self.task, self._count))
        return puzzle_sets

    def solver(self, precision: str, rule: HaltingRule, *, trace: bool = False) -> Solver:
        """Make a solver that keeps every prediction, or measures how much the logits change.

        Args:
            precision: ``float32`` or ``int8``.
            rule: when a puzzle stops.
            trace: keep predictions.
        """
        return self._bundle(precision).solver(
            "cpu",
            batch=self._batch,
            halting=rule,
            threads=self._threads,
            trace=trace,
            measure_changes=not trace,
        )

    def _bundle(self, precision: str) -> Bundle:
        path = self._bundles / f"{self.name}-{precision}"
        if not path.exists():
            name = PRECISIONS[precision]
            targets = (load_profile("cpu"),)
            # The accuracy that an export measures is not looked at: few puzzles are enough for it.
            few = self.task.bundled_puzzles("examples")
            request = ExportRequest(self.checkpoint, self.task, name, targets, held_out=few)
            export_bundle(request, path)
        return Bundle.open(path)
