"""Services for tests: engines without a model, and requests without a network."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("starlette", reason="needs pip install 'trm-edge[serve]'")
pytest.importorskip("prometheus_client", reason="needs pip install 'trm-edge[serve]'")
pytest.importorskip("httpx", reason="needs pip install 'trm-edge[dev]'")

import httpx

from tests.toys import BASE
from trm_edge.backends.base import HaltingLogits
from trm_edge.backends.fake import FakeBackend
from trm_edge.bundle import Bundle
from trm_edge.errors import BackendError
from trm_edge.serve.application import make_application
from trm_edge.serve.limits import Limits
from trm_edge.serve.service import Service

T = TypeVar("T")
WAIT = 60.0  # seconds after which a test that hangs fails


class GatedBackend(FakeBackend):
    """Ends a step only when it is allowed to, so that tests say what happens between two steps.

    Its answers are the puzzles themselves, after ``1 + sum(tokens) % halt_max_steps`` steps.
    """

    def __init__(self) -> None:
        super().__init__(BASE)
        self.batches: list[list[tuple[int, ...]]] = []  # the tokens in the slots of every step
        self._allowed = threading.Semaphore(0)
        self._begun = threading.Condition()
        self._is_open = False
        self._error: Exception | None = None

    def allow(self, steps: int = 1) -> None:
        """Let the next steps end.

        Args:
            steps: how many.
        """
        self._allowed.release(steps)

    def open(self) -> None:
        """Let all steps end."""
        self._is_open = True
        self._allowed.release()

    def fail(self, error: Exception) -> None:
        """Let the step under way fail, or the next one.

        Args:
            error: that it raises.
        """
        self._error = error
        self.open()

    def wait_for_steps(self, count: int) -> None:
        """Wait until so many steps have begun since the engine was loaded.

        Args:
            count: of steps.
        """
        with self._begun:
            assert self._begun.wait_for(lambda: len(self.batches) >= count, WAIT)

    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        if not tokens.any():  # warming up
            return super().step(tokens, puzzle_embedding, reset)
        with self._begun:
            self.batches.append([tuple(row) for row in tokens.tolist()])
            self._begun.notify_all()
        if not self._is_open:
            assert self._allowed.acquire(timeout=WAIT)
        if self._error is not None:
            raise self._error
        return super().step(tokens, puzzle_embedding, reset)


class FailingBackend(GatedBackend):
    """Cannot be loaded."""

    def activate(self) -> None:
        raise BackendError("there is no GPU.")


def puzzle(steps: int, kind: int = 1) -> list[int]:
    """Token ids that the fake engine solves in so many steps.

    Args:
        steps: 1 to 4.
        kind: 1 to 6, tells puzzles of as many steps apart.
    """
    tokens = [kind, *[0] * 8]
    while 1 + sum(tokens) % BASE.halt_max_steps != steps:
        tokens[8] += 1
    return tokens


def text(tokens: list[int]) -> str:
    """A puzzle as text of the toy's task."""
    return " ".join(map(str, tokens))


def gated_service(bundle: Path, backend: GatedBackend, **options: Any) -> Service:
    """A service whose engine is a fake one.

    Args:
        bundle: of the base toy.
        backend: the engine.
        options: of the limits, and ``slots``.
    """
    slots = options.pop("slots", 4)
    return Service(Bundle.open(bundle), slots=slots, limits=Limits(**options), backend=backend)


def with_client(service: Service, script: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
    """Run a script that talks to a service through its application.

    Args:
        service: an entered one.
        script: gets the client.
    """

    async def run() -> T:
        transport = httpx.ASGITransport(make_application(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await asyncio.wait_for(script(client), WAIT)

    return asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    """Let the other tasks run until a condition holds.

    Args:
        condition: is asked again and again.
    """
    while not condition():
        await asyncio.sleep(0.001)
