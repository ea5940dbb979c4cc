"""What a server replies, as records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trm_edge import records
from trm_edge.cli.answers import SolutionRecord

ANSWERS_FORMAT = records.Format("trm-edge.answers", 1)
ERROR_FORMAT = records.Format("trm-edge.error", 1)
HEALTH_FORMAT = records.Format("trm-edge.health", 1)
SERVED_FORMAT = records.Format("trm-edge.served", 1)

Status = Literal["ready", "stopping", "failed", "stalled", "replacing"]


@dataclass(frozen=True)
class AnswerList:
    """The reply to a request that was solved.

    Args:
        answers: one for each puzzle, in the order of the request. ``index`` is the position of the
            puzzle, and ``line`` that position from 1.
    """

    answers: tuple[SolutionRecord, ...]


@dataclass(frozen=True)
class ErrorReply:
    """The reply to a request that was refused or failed.

    Args:
        error: a sentence for people.
    """

    error: str


@dataclass(frozen=True)
class Health:
    """Whether a server works.

    Args:
        status: ``ready``; ``stopping`` after a signal; ``failed`` where the engine has ended;
            ``stalled`` where a step takes longer than a request may; ``replacing`` where no
            replica is ready and Ray starts others.
        waiting: puzzles that wait for a slot.
        in_flight: puzzles that have begun and have no answer.
    """

    status: Status
    waiting: int
    in_flight: int


@dataclass(frozen=True)
class ServedBundle:
    """What a server serves, and within which limits.

    Args:
        bundle: name of its folder.
        manifest_sha256: hash of its manifest, which has the hashes of all its files.
        version: of trm-edge.
        task: of the bundle.
        target: of the bundle.
        precision: of the target's step graph.
        engine: what runs the step.
        halting: the rule of requests that do not set one.
        max_steps: steps that a request may ask for.
        cells: token ids in a puzzle.
        tokens: number of different token ids.
        identifiers: rows of the puzzle-embedding table; 1 where the model has none.
        slots: puzzles that are worked on at once.
        max_waiting: puzzles that wait for a slot before requests are refused.
        max_puzzles: puzzles in a request.
        max_body_bytes: bytes of a request's body.
        max_seconds: from the arrival of a request to its answers.
        max_rollouts: tries at a puzzle.
        replicas: engines that share the requests; with several, ``slots`` and ``max_waiting`` are
            those of all.
    """

    bundle: str
    manifest_sha256: str
    version: str
    task: str
    target: str
    precision: str
    engine: str
    halting: str
    max_steps: int
    cells: int
    tokens: int
    identifiers: int
    slots: int
    max_waiting: int
    max_puzzles: int
    max_body_bytes: int
    max_seconds: float
    max_rollouts: int
    replicas: int = 1
