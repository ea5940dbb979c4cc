"""Blocks of questions, and the inputs that a stopping rule ends between them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.arc.voters import Arranged, parsed
from trm_edge.arc.blocks import QuestionBlocks
from trm_edge.arc.plan import Question
from trm_edge.arc.predictions import Predictions
from trm_edge.arc.stopping import LOOK_ROUNDS, StoppingRule
from trm_edge.arc.votes import VoteCount

TASKS = [parsed("a", [[[1, 2]]]), parsed("b", [[[3, 4]]])]


def agreed(arranged: Arranged, questions: list[Question]) -> Predictions:
    """Answers that repeat the questions, so that all votes on an input agree."""
    identifiers = np.array([question.identifier for question in questions])
    tokens = [arranged.plan.puzzle(question).tokens for question in questions]
    rows = np.array(tokens, np.uint8)
    return Predictions(identifiers, rows, rows, np.zeros(len(rows)))


def test_without_a_rule_there_is_one_block(tmp_path: Path) -> None:
    plan = Arranged(TASKS).plan
    blocks = QuestionBlocks(plan, None, VoteCount(Arranged(TASKS).test_set(tmp_path)))
    assert blocks.next() == list(plan.ask(range(13), [0, 1]))
    assert blocks.next() == []
    assert blocks.decided == 0


def test_inputs_end_by_the_rule_or_with_their_last_question(tmp_path: Path) -> None:
    """Task b has as many variants as are asked before the rule looks for the first time."""
    arranged = Arranged(TASKS, variants=60)
    variants = arranged.plan.variants
    shorter = {**variants, "b": variants["b"][:LOOK_ROUNDS]}
    arranged.plan = replace(arranged.plan, variants=shorter)
    count = VoteCount(arranged.test_set(tmp_path))
    blocks = QuestionBlocks(arranged.plan, StoppingRule(0.8, "first"), count)
    questions = blocks.next()
    assert [question.number for question in questions] == [0, 1] * LOOK_ROUNDS
    assert blocks.decided == 0
    count.add(agreed(arranged, questions))
    assert blocks.next() == []
    assert blocks.decided == 1


def test_a_rule_that_never_decides_leaves_every_question(tmp_path: Path) -> None:
    arranged = Arranged(TASKS)
    count = VoteCount(arranged.test_set(tmp_path))
    blocks = QuestionBlocks(arranged.plan, StoppingRule(1.0), count)
    asked = []
    while questions := blocks.next():
        asked += questions
        count.add(agreed(arranged, questions))
    assert asked == list(arranged.plan.ask(range(13), [0, 1]))
    assert blocks.decided == 0
