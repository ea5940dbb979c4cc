"""Solves test inputs under the variants of their tasks, and keeps the votes on disk meanwhile."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trm_edge.arc.answer_parts import AnswerParts, StoredAnswers
from trm_edge.arc.blocks import QuestionBlocks
from trm_edge.arc.plan import Plan, Question
from trm_edge.arc.predictions import Predictions
from trm_edge.arc.run_folder import RunFolder, RunRecord, RunSettings
from trm_edge.arc.stopping import StoppingRule
from trm_edge.arc.test_set import TestSet
from trm_edge.arc.time_limit import TimeLimit
from trm_edge.arc.votes import VoteCount
from trm_edge.arc.voting import VoteResult, vote_result
from trm_edge.errors import CancelledError, PuzzleError
from trm_edge.interrupts import DeferredSignals
from trm_edge.progress import Metered, Track, silent
from trm_edge.puzzle import Puzzle

if TYPE_CHECKING:
    from trm_edge.loop.solution import Solution
    from trm_edge.loop.solver import Solver

SAVE_SECONDS = 30.0  # between two saves
SAVE_SHARE = 20  # a save takes at most one part in so many of the time
_MOST_UNSAVED = 4096  # answers in memory


@dataclass(frozen=True)
class RunOutcome:
    """Where a run stopped.

    Args:
        record: its state.
        votes: of all answers so far.
        answered: answers of this call.
        seconds: that they took.
    """

    record: RunRecord
    votes: VoteResult
    answered: int
    seconds: float


class ArcRun:
    """A run over the questions of a plan, which goes on after the answers in its folder.

    Args:
        plan: what is asked.
        test_set: the tasks, and the names of the plan's identifiers.
        folder: takes the answers.
        settings: that the folder is compared with.
        rule: ends the votes on an input; None: every question is asked.
        save_seconds: between two saves.
    """

    def __init__(
        self,
        plan: Plan,
        test_set: TestSet,
        folder: RunFolder,
        settings: RunSettings,
        *,
        rule: StoppingRule | None = None,
        save_seconds: float = SAVE_SECONDS,
    ) -> None:
        self._plan = plan
        self._test_set = test_set
        self._folder = folder
        self._settings = settings
        self._rule = rule
        self._save_seconds = save_seconds
        self._is_open = False
        self._start()

    def _start(self) -> None:
        """Forget every answer that is not in the folder; those that are get counted again."""
        self._count = VoteCount(self._test_set, self._settings.votes_by)
        self._blocks = QuestionBlocks(self._plan, self._rule, self._count)
        self._parts = AnswerParts(self._folder.path)
        self._stored = StoredAnswers(self._parts)
        self._unsaved: list[tuple[Question, Puzzle, Solution]] = []
        self._saved = 0.0  # when the last save ended, by time.monotonic()
        self._last_save_seconds = 0.0
        self._answers = 0
        self._is_complete = False

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Lock the folder and begin it, or make sure that it holds this run, until the block ends.

        With the engine loaded inside, a second process is refused before it loads its own. Within
        another such block this does nothing.

        Raises:
            OutputExistsError: the folder holds files of something else, or a run with other
                settings.
            OutputError: a file cannot be written, or another process is at work in the folder.
            RecordError: the record of the run in the folder cannot be read.
        """
        if self._is_open:
            yield
            return
        with self._folder.locked():
            if not self._folder.open(self._record()):
                self._write()  # a submission of placeholders
            self._is_open = True
            try:
                yield
            finally:
                self._is_open = False

    def solve(
        self, solver: Solver, *, end: float = float("inf"), track: Track = silent
    ) -> RunOutcome:
        """Ask what is left, until everything is answered or the time is up.

        The folder is opened, unless it is already. Its files are written now and then, and whatever
        ends the call, KeyboardInterrupt included. A further call goes on after the answers there.

        Args:
            solver: an entered solver.
            end: of the time, by time.monotonic() in seconds; infinity for no limit.
            track: shows progress.

        Raises:
            OutputExistsError: the folder holds files of something else, or a run with other
                settings.
            OutputError: a file cannot be written, a part of the answers is missing or has another
                length, or another process is at work in the folder.
            RecordError: the record of the run in the folder cannot be read.
            PuzzleError: the folder's answers are damaged, or are those to other questions; or a
                question does not fit the solver's model.
            BackendError: the engine failed.
            CancelledError: the solver was cancelled before the time was up.
        """
        with self.opened():
            self._start()  # a call before may have been interrupted
            return self._solve(solver, end, track)

    def _solve(self, solver: Solver, end: float, track: Track) -> RunOutcome:
        left = self._plan.questions - self._parts.count()
        start = time.monotonic()
        self._saved = start
        answered = 0
        with TimeLimit(solver, end) as limit:
            try:
                questions = self._answered(solver, limit)
                progress = Metered(questions, "answers", shows_rate=True)
                for _ in track(progress, "solved", left):
                    answered += 1
                    if self._is_save_due():
                        self._save(limit)
            except CancelledError:
                if not limit.is_over:
                    raise
            finally:
                # Before all stored answers are counted, the files on disk know more.
                if self._stored.is_empty or self._is_complete:
                    self._save(limit)
        seconds = time.monotonic() - start
        votes = vote_result(self._test_set, self._count)
        return RunOutcome(self._record(), votes, answered, seconds)

    def _answered(self, solver: Solver, limit: TimeLimit) -> Iterator[None]:
        """Go through the plan, one item for each question that the solver answers now."""
        while True:
            block = self._blocks.next()
            if not block:
                self._is_complete = True
                return
            left = block[self._replay(block) :]
            if left and limit.is_over:
                return
            yield from self._solved(solver, left)
            self._flush()

    def _replay(self, block: Sequence[Question]) -> int:
        """Count the answers that the folder has to the first questions of a block."""
        replayed = 0
        for answers in self._stored.take(len(block)):
            self._check(answers, block[replayed : replayed + len(answers)])
            self._count.add(answers)
            self._answers += len(answers)
            replayed += len(answers)
        return replayed

    def _check(self, stored: Predictions, questions: Sequence[Question]) -> None:
        """Refuse answers to other questions, as of a folder whose files were exchanged."""
        for row, question in enumerate(questions):
            tokens = self._plan.puzzle(question).tokens
            same = stored.identifiers[row] == question.identifier
            if not same or not np.array_equal(stored.inputs[row], tokens):
                raise PuzzleError(
                    f"answer {self._answers + row + 1} in {self._folder.path} is one to another "
                    "question. Choose another folder."
                )

    def _solved(self, solver: Solver, questions: Sequence[Question]) -> Iterator[None]:
        puzzles: deque[Puzzle] = deque()  # that are being solved, in order

        def encoded_questions() -> Iterator[Puzzle]:
            for question in questions:
                puzzle = self._plan.puzzle(question)
                puzzles.append(puzzle)
                yield puzzle

        solutions = solver.solve(encoded_questions(), ordered=True)
        for question, solution in zip(questions, solutions, strict=True):
            self._unsaved.append((question, puzzles.popleft(), solution))
            yield

    def _is_save_due(self) -> bool:
        if len(self._unsaved) >= _MOST_UNSAVED:
            return True
        pause = max(self._save_seconds, SAVE_SHARE * self._last_save_seconds)
        return time.monotonic() - self._saved > pause

    def _save(self, limit: TimeLimit) -> None:
        start = time.monotonic()
        self._flush()
        self._write()
        self._saved = time.monotonic()
        self._last_save_seconds = self._saved - start
        limit.writing_seconds = self._last_save_seconds

    def _flush(self) -> None:
        """Write the answers in memory, and count them."""
        if not self._unsaved:
            return
        answers = _predictions(self._unsaved)
        self._parts.append(answers, self._answers)
        # What ends the run here saves again, and must find each answer either unsaved or counted.
        with DeferredSignals():
            self._unsaved = []
            self._answers += len(answers)
            self._count.add(answers)

    def _write(self) -> None:
        self._folder.write(vote_result(self._test_set, self._count), self._record())

    def _record(self) -> RunRecord:
        return RunRecord(
            settings=self._settings,
            test_inputs=len(self._plan.inputs),
            questions=self._plan.questions,
            answers=self._answers,
            decided=self._blocks.decided,
            complete=self._is_complete,
        )


def _predictions(answers: Sequence[tuple[Question, Puzzle, Solution]]) -> Predictions:
    identifiers = []
    inputs = []
    predictions = []
    q_halt = []
    for question, puzzle, solution in answers:
        identifiers.append(question.identifier)
        inputs.append(puzzle.tokens)
        predictions.append(solution.answer)
        q_halt.append(solution.logit)
    return Predictions(
        np.array(identifiers, np.int64),
        np.array(inputs, np.uint8),
        np.array(predictions, np.uint8),
        np.array(q_halt, np.float64),
    )
