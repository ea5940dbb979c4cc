"""Cuts the questions of a run into blocks, between which a rule ends the votes on inputs."""

from __future__ import annotations

from trm_edge.arc.plan import Plan, Question
from trm_edge.arc.stopping import LOOK_ROUNDS, StoppingRule
from trm_edge.arc.votes import VoteCount


class QuestionBlocks:
    """Goes through a plan, a block of questions at a time.

    Args:
        plan: what is asked.
        rule: ends the votes on an input; None: every question is asked, in a single block.
        count: the votes; when a block is taken, those of the blocks before it are in.

    Attributes:
        decided: inputs that the rule has ended before their last question.
    """

    def __init__(self, plan: Plan, rule: StoppingRule | None, count: VoteCount) -> None:
        self.decided = 0
        self._plan = plan
        self._rule = rule
        self._count = count
        self._rounds = 0  # of the blocks so far
        self._open = list(range(len(plan.inputs)))  # inputs that are still asked

    def next(self) -> list[Question]:
        """Take the next questions, none of which an answer to another can make needless.

        Returns:
            The questions in order; none where nothing is left to ask.
        """
        first = self._rounds
        last = self._plan.rounds
        if self._rule is not None:
            last = min(last, first + LOOK_ROUNDS)
            self._drop_finished(self._rule)
        self._rounds = last
        return list(self._plan.ask(range(first, last), self._open))

    def _drop_finished(self, rule: StoppingRule) -> None:
        """Leave out the inputs that are answered in full, and those that the rule ends."""
        still_open = []
        for number in self._open:
            remaining = self._plan.rounds_of(number) - self._rounds
            if remaining <= 0:
                continue
            test_input = self._plan.inputs[number]
            votes = self._count.votes(test_input.task, test_input.grid)
            if self._rounds and rule.is_decided(votes, remaining):
                self.decided += 1
            else:
                still_open.append(number)
        self._open = still_open
