"""Limits of a server: what it takes on before it refuses."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from trm_edge.errors import ConfigError


@dataclass(frozen=True)
class Limits:
    """What a server takes on.

    Args:
        queue: puzzles that wait for a slot, over all requests.
        puzzles: puzzles in a request.
        body_bytes: bytes of a request's body.
        seconds: from the arrival of a request to its answers.
        rollouts: tries at a puzzle.
        grace_seconds: in which the requests that are there are finished when the server stops.

    Raises:
        ConfigError: a limit is not positive, or a request may have more puzzles than can wait.
    """

    queue: int = 1024
    puzzles: int = 256
    body_bytes: int = 1 << 20
    seconds: float = 30.0
    rollouts: int = 64
    grace_seconds: float = 30.0

    def __post_init__(self) -> None:
        for name in ("queue", "puzzles", "body_bytes", "rollouts"):
            value = getattr(self, name)
            if value < 1:
                raise ConfigError(f"the limit {name} must be 1 or more, but got {value}.")
        for name in ("seconds", "grace_seconds"):
            value = getattr(self, name)
            if not 0 < value < inf:
                raise ConfigError(f"the limit {name} must be longer than 0, but got {value}.")
        if self.puzzles > self.queue:
            raise ConfigError(
                f"a request may have {self.puzzles} puzzles, but only {self.queue} can wait for a "
                "slot, so the largest would always be refused. Let more wait (--queue), or allow "
                "fewer in a request (--max-puzzles)."
            )
