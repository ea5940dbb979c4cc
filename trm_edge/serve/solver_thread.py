"""The thread that drives the halting loop of a server."""

from __future__ import annotations

import logging
import threading

from trm_edge.errors import CancelledError, TrmEdgeError
from trm_edge.loop.exploration import Exploration
from trm_edge.loop.rollouts import Rollouts
from trm_edge.loop.selection import MostConfident
from trm_edge.loop.solver import Solver
from trm_edge.serve.refusals import EngineFailedError
from trm_edge.serve.request_queue import RequestQueue

logger = logging.getLogger(__name__)

FAILED = "the engine has failed, and the server has to be started again."


class SolverThread:
    """Loads a solver and solves what a queue gives it, until the queue is closed and empty.

    The engine lives in this thread alone. Where it fails, all requests that are there fail with
    it, and no more are taken.

    Args:
        solver: that nobody else uses; not entered.
        queue: of puzzles.
    """

    def __init__(self, solver: Solver, queue: RequestQueue) -> None:
        self._solver = solver
        self._queue = queue
        self._loaded = threading.Event()
        self._load_error: BaseException | None = None
        self._error: Exception | None = None
        # A step that hangs in a driver must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="trm-edge-serve", daemon=True)

    @property
    def error(self) -> Exception | None:
        """What ended the loop; None while it runs, and after it has ended in order."""
        return self._error

    @property
    def has_ended(self) -> bool:
        """Whether the loop solves nothing any more."""
        return self._loaded.is_set() and not self._thread.is_alive()

    def start(self) -> None:
        """Load the engine and begin.

        Raises:
            TrmEdgeError: the engine cannot be loaded.
        """
        self._thread.start()
        self._loaded.wait()
        if self._load_error is not None:
            raise self._load_error

    def join(self, seconds: float) -> bool:
        """Wait for the end of the loop.

        Args:
            seconds: to wait at most.

        Returns:
            It has ended.
        """
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def cancel(self) -> None:
        """End the loop after its current step."""
        self._solver.cancel()

    def _run(self) -> None:
        try:
            self._solver.__enter__()
        except BaseException as error:  # noqa: BLE001 - start() raises it in its own thread
            self._load_error = error
            self._loaded.set()
            return
        self._loaded.set()
        try:
            self._solve()
        finally:
            self._solver.__exit__(None, None, None)

    def _solve(self) -> None:
        # A request may have its own rule, tries and selector; these are for the others.
        rollouts = Rollouts(self._solver, Exploration(1), MostConfident())
        try:
            for solution in rollouts.solve(self._queue):
                self._queue.finish(solution)
        except CancelledError:
            return  # whoever cancelled has ended the requests
        except Exception as error:
            self._error = error
            logger.error("%s %s", FAILED.capitalize(), error)
            logger.debug("the error came from:", exc_info=True)
            reason = str(error) if isinstance(error, TrmEdgeError) else type(error).__name__
            self._queue.fail(EngineFailedError(f"the engine failed: {reason}"), FAILED)
