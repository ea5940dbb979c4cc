"""A bundle that turns blocks of rows into answers: what a worker of a batch run holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType

import pyarrow as pa

from trm_edge.batch.answers import AnswerMaker
from trm_edge.batch.block_loop import BlockLoop
from trm_edge.batch.solve_options import SolveOptions as SolveOptions
from trm_edge.bundle import MANIFEST, Bundle
from trm_edge.cli.answers import AnswerPolicy
from trm_edge.errors import BundleError
from trm_edge.files import hash_file
from trm_edge.loop.rollouts import Rollouts
from trm_edge.loop.solver import Solver


@dataclass(frozen=True)
class Work:
    """Steps of an engine.

    Args:
        slot_steps: summed over the slots that held a puzzle.
        capacity_steps: summed over all slots.
    """

    slot_steps: int
    capacity_steps: int

    def __sub__(self, other: Work) -> Work:
        return Work(self.slot_steps - other.slot_steps, self.capacity_steps - other.capacity_steps)


class BlockSolver:
    """Solves blocks of rows with a bundle.

    The engine is loaded with the first block, or on entry as a context manager, and freed by
    :meth:`close`. Pickling takes the options alone along, so each process loads its own engine.

    Args:
        options: of the run.

    >>> with BlockSolver(options) as solver:  # doctest: +SKIP
    ...     answers = solver(rows)
    """

    def __init__(self, options: SolveOptions) -> None:
        self.options = options
        self._solver: Solver | None = None
        self._loop: BlockLoop | None = None

    def __reduce__(self) -> tuple[type[BlockSolver], tuple[SolveOptions]]:
        return BlockSolver, (self.options,)

    def __enter__(self) -> BlockSolver:
        self.open()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __call__(self, block: pa.Table) -> pa.Table:
        """Solve one block, whose rows refill the slots of the halting loop.

        Args:
            block: n rows with the columns of ``ROW_SCHEMA``.

        Returns:
            n rows with the columns of ``ANSWER_SCHEMA``, in the same order. A row that is no puzzle
            has the outcome ``failed`` and its reason.

        Raises:
            TrmEdgeError: as :meth:`open` and :meth:`solve` do.
        """
        (answers,) = self.solve([block])
        return answers

    def solve(self, blocks: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Solve a stream of blocks; slots are refilled across them.

        Args:
            blocks: rows with the columns of ``ROW_SCHEMA``.

        Returns:
            The answers of each block, in the same order.

        Raises:
            TrmEdgeError: the bundle cannot be loaded, or reading the blocks failed; in the latter
                case after the answers to those before.
            BackendError: the engine fails whatever it is given.
        """
        yield from self.open().solve(blocks)

    def open(self) -> BlockLoop:
        """Load the engine, unless it is loaded already.

        Raises:
            BundleError: the bundle is damaged, or another one than when the run began.
            EngineError: the target has an engine that does not fit this machine.
            ConfigError: the options do not fit the task or the model.
        """
        if self._loop is not None:
            return self._loop
        options = self.options
        bundle = Bundle.open(options.bundle)
        if hash_file(bundle.path / MANIFEST) != options.manifest_sha256:
            raise BundleError(
                f"{bundle.path} was exported again after the run began, so its answers would be "
                "those of two bundles. Start the run again with another output folder, or put the "
                "first bundle back."
            )
        task = bundle.task()
        search = options.search
        exploration = search.exploration(task)
        selector = search.selector(task)
        solver = bundle.solver(
            options.target,
            batch=options.slots,
            halting=options.halting,
            threads=options.threads,
            measure_changes=exploration is not None and selector.needs_changes,
            deadline=search.deadline,
        )
        source: Solver | Rollouts = solver
        if exploration is not None:
            source = Rollouts(solver, exploration, selector)
        solver.__enter__()
        self._solver = solver
        policy = AnswerPolicy(search.only_valid, search.answer_if)
        self._loop = BlockLoop(source, AnswerMaker(task, policy, options.manifest_sha256))
        return self._loop

    def close(self) -> None:
        """Free the engine; the next block loads it again."""
        solver = self._solver
        self._solver = None
        self._loop = None
        if solver is not None:
            solver.__exit__(None, None, None)

    def work(self) -> Work:
        """Return what the engine has done since it was loaded."""
        if self._solver is None:
            return Work(0, 0)
        return Work(self._solver.slot_steps, self._solver.capacity_steps)
