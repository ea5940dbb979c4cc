"""The body of ``POST /solve``, decoded and checked against the model and the server's limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from trm_edge.cli.answers import AnswerPolicy
from trm_edge.cli.search_options import SearchOptions
from trm_edge.errors import BackendError, ConfigError, PuzzleError
from trm_edge.loop.halting import HaltingMode, HaltingRule
from trm_edge.loop.puzzle_options import PuzzleOptions
from trm_edge.loop.selection import MostConfident
from trm_edge.loop.slot_rules import check_rule
from trm_edge.puzzle import Puzzle, check_puzzle
from trm_edge.serve.limits import Limits
from trm_edge.serve.refusals import BadJsonError, InvalidRequestError, TooLargeError
from trm_edge.serve.ticket import Ticket
from trm_edge.tasks.base import Task

Explorer = Literal["forms", "noise", "start"]
Share = Annotated[float, Meta(ge=0, le=1)]
_LARGEST_INTEGER = 2**31 - 1
_EXACT_IN_FLOAT = 2**53
_LARGEST_LOGIT = 1e6
_LARGEST_SIGMA = 1e3  # states have a root mean square of 1


class PuzzleTokens(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A puzzle as token ids.

    Args:
        tokens: ids, one for each cell.
        identifier: row of the puzzle-embedding table, where the model has one.
    """

    tokens: list[Annotated[int, Meta(ge=0, le=_LARGEST_INTEGER)]]
    identifier: Annotated[int, Meta(ge=0, le=_LARGEST_INTEGER)] = 0


class SolveRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Puzzles to solve, and how; every option has the meaning that it has for trm-edge solve.

    Args:
        puzzles: one or more, each as text of the task or as token ids.
        deadline_ms: milliseconds from the arrival of the request to its answers; the server's
            limit by default. A puzzle that has begun is answered with its best answer so far.
        halt: stop when the halting head says so, or always run every step.
        max_steps: stop every puzzle after so many steps; the model's own by default.
        min_steps: give every puzzle so many steps.
        halt_threshold: logit by which q_halt must win.
        rollouts: tries at each puzzle, at most.
        explore: what makes tries differ; forms by default.
        sigma: standard deviation of noise and random starts.
        explore_seed: of noise and random starts.
        select: which try answers; valid where the task has a rule, else q.
        min_confidence: with the selector q, stop trying once the confidence reaches this.
        only_valid: withhold answers that break the rules of the task.
        answer_if: withhold answers with a confidence below this.
    """

    puzzles: Annotated[list[str | PuzzleTokens], Meta(min_length=1)]
    deadline_ms: Annotated[float, Meta(gt=0)] | None = None
    halt: HaltingMode = "adaptive"
    max_steps: Annotated[int, Meta(ge=1)] | None = None
    min_steps: Annotated[int, Meta(ge=1)] = 1
    halt_threshold: Annotated[float, Meta(ge=-_LARGEST_LOGIT, le=_LARGEST_LOGIT)] = 0.0
    rollouts: Annotated[int, Meta(ge=1)] = 1
    explore: list[Explorer] = []
    sigma: Annotated[float, Meta(ge=0, le=_LARGEST_SIGMA)] | None = None
    explore_seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    select: Literal["q", "mode", "valid"] | None = None
    min_confidence: Share = 1.0
    only_valid: bool = False
    answer_if: Share = 0.0


@dataclass(frozen=True)
class Admission:
    """A request that fits the model and the limits.

    Args:
        ticket: for the queue.
        policy: which of the answers are given.
    """

    ticket: Ticket
    policy: AnswerPolicy


class RequestReader:
    """Turns bodies into tickets.

    Args:
        task: of the bundle.
        halting: the solver's own rule.
        limits: of the server.
        noise_problem: why the engine cannot solve with noise or a random start; None: it can.
    """

    def __init__(
        self, task: Task, halting: HaltingRule, limits: Limits, noise_problem: str | None = None
    ) -> None:
        self._task = task
        self._halting = halting
        self._limits = limits
        self._noise_problem = noise_problem
        self._decoder = msgspec.json.Decoder(SolveRequest)

    def read(self, body: bytes, arrived: float) -> Admission:
        """Read the body of a request.

        Args:
            body: JSON.
            arrived: when the request did, by time.monotonic().

        Raises:
            BadJsonError: it is not JSON.
            InvalidRequestError: it is no request, or a puzzle or an option does not fit the model.
            TooLargeError: it has more puzzles than a request may.
        """
        request = self._decoded(body)
        count = len(request.puzzles)
        if count > self._limits.puzzles:
            raise TooLargeError(
                f"a request may have {self._limits.puzzles} puzzles, but this one has {count}. "
                "Send them in several requests."
            )
        try:
            return self._admission(request, arrived)
        except (BackendError, ConfigError, PuzzleError) as error:
            raise InvalidRequestError(str(error)) from error

    def _decoded(self, body: bytes) -> SolveRequest:
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError as error:
            problem = error
        except (ValueError, RecursionError) as error:
            raise BadJsonError(f"the body is not JSON: {error}.") from error
        try:
            # In JSON 3.0 is an integer, and some languages write every number so.
            return msgspec.convert(_with_integers(msgspec.json.decode(body)), SolveRequest)
        except msgspec.ValidationError:
            raise InvalidRequestError(f"the body is not a request: {problem}.") from problem
        except (ValueError, RecursionError) as error:
            raise BadJsonError(f"the body is not JSON: {error}.") from error

    def _admission(self, request: SolveRequest, arrived: float) -> Admission:
        seconds = self._seconds(request)
        options = self._options(request)
        puzzles = []
        for index, puzzle in enumerate(request.puzzles):
            puzzles.append(self._puzzle(index, puzzle))
        policy = AnswerPolicy(request.only_valid, request.answer_if)
        return Admission(Ticket(puzzles, options, arrived + seconds), policy)

    def _seconds(self, request: SolveRequest) -> float:
        if request.deadline_ms is None:
            return self._limits.seconds
        most = 1e3 * self._limits.seconds
        if request.deadline_ms > most:
            raise ConfigError(
                f"deadline_ms must be at most {most:g} on this server, but got "
                f"{request.deadline_ms:g}."
            )
        return request.deadline_ms / 1e3

    def _options(self, request: SolveRequest) -> PuzzleOptions:
        search = SearchOptions(
            rollouts=request.rollouts,
            explore=tuple(request.explore),
            sigma=request.sigma,
            explore_seed=request.explore_seed,
            select=request.select,
            min_confidence=request.min_confidence,
            only_valid=request.only_valid,
            answer_if=request.answer_if,
            deadline_ms=request.deadline_ms,
        )
        if request.rollouts > self._limits.rollouts:
            raise ConfigError(
                f"rollouts must be at most {self._limits.rollouts} on this server, but got "
                f"{request.rollouts}."
            )
        search.check(self._task)
        exploration = search.exploration(self._task)
        selector = search.selector(self._task)
        if exploration is None:
            selector = MostConfident()  # of a single answer; asks no rule for it
        elif exploration.noise > 0 or exploration.start > 0:
            self._require_noise()
        halting = HaltingRule(
            mode=request.halt,
            compares_continue=self._halting.compares_continue,
            max_steps=request.max_steps or self._halting.max_steps,
            min_steps=request.min_steps,
            threshold=request.halt_threshold,
        )
        check_rule(halting, self._halting)
        return PuzzleOptions(halting, exploration, selector)

    def _require_noise(self) -> None:
        if self._noise_problem is not None:
            raise BackendError(self._noise_problem)

    def _puzzle(self, index: int, value: str | PuzzleTokens) -> Puzzle:
        if isinstance(value, str):
            try:
                puzzle = self._task.puzzle(value)
            except PuzzleError as error:
                raise PuzzleError(f"puzzle {index}, {error}") from error
        else:
            puzzle = Puzzle(np.array(value.tokens, np.int32), value.identifier)
        check_puzzle(puzzle, index, self._task.config)
        if not self._task.recognizes(puzzle):
            raise PuzzleError(
                f"puzzle {index}: these token ids are not a puzzle of the task {self._task.name}."
            )
        return puzzle


def _with_integers(value: Any) -> Any:
    """JSON values with whole numbers as integers."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT_IN_FLOAT:
        return int(value)
    if isinstance(value, list):
        return [_with_integers(part) for part in value]
    if isinstance(value, dict):
        return {name: _with_integers(part) for name, part in value.items()}
    return value
