"""What a run asks: every test input under every variant, evenly, and each question only once."""

from __future__ import annotations

import numpy as np

from tests.arc.voters import Arranged, parsed
from trm_edge.arc.augmentation import parse_name
from trm_edge.arc.crop import crop
from trm_edge.arc.plan import make_plan
from trm_edge.arc.rows import TaskRows

A = parsed("a", [[[1, 2, 3]], [[4]]])
B = parsed("b", [[[5, 6]], [[5, 6]]])


def test_rounds_and_questions() -> None:
    plan = Arranged([A, B], variants=4).plan
    assert (len(plan.inputs), plan.rounds, plan.questions) == (3, 5, 15)
    numbers = [question.number for question in plan.ask(range(2), [0, 1, 2])]
    assert numbers == [0, 1, 2, 0, 1, 2]
    assert [question.number for question in plan.ask(range(1, 3), [2])] == [2, 2]


def test_questions_are_augmented_and_turn_back() -> None:
    plan = Arranged([A, B], variants=20).plan
    for question in plan.ask(range(plan.rounds), [0, 1, 2]):
        puzzle = plan.puzzle(question)
        assert puzzle.identifier == question.variant.row == question.identifier
        assert plan.names[question.identifier] == question.variant.name
        original = parse_name(question.variant.name).augmentation.invert(crop(puzzle.tokens))
        np.testing.assert_array_equal(original, plan.inputs[question.number].grid)


def test_tasks_with_fewer_variants_are_skipped_in_later_rounds() -> None:
    names = ["<blank>", "a", "a|||t1|||0123456789", "b"]
    plan = make_plan([A, B], TaskRows(names, 4, ["a", "b"]), None)
    assert [question.number for question in plan.ask(range(2), [0, 1, 2])] == [0, 1, 2, 0, 1]
    assert plan.questions == 5


def test_tasks_without_a_row_are_left_out() -> None:
    plan = make_plan([A, B], TaskRows(["<blank>", "b"], 2, ["a", "b"]), None)
    assert [asked.task for asked in plan.inputs] == ["b"]


def test_names_of_a_model_with_one_row_are_numbered() -> None:
    plan = make_plan([A, B], TaskRows(None, 1, ["a", "b"]), 2)
    assert plan.names[0] == "<blank>"
    assert len(set(plan.names)) == len(plan.names) == 7
    assert {plan.puzzle(question).identifier for question in plan.ask(range(3), [0, 2])} == {0}


def test_the_hash_tells_plans_apart() -> None:
    hashes = set()
    for tasks, variants in (([A], 3), ([A], 4), ([A, B], 3), ([parsed("a", [[[1]]])], 3)):
        hashes.add(Arranged(tasks, variants).plan.sha256())
    assert len(hashes) == 4
    assert Arranged([A], 3).plan.sha256() == Arranged([A], 3).plan.sha256()
