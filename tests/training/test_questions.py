from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.toys import toy_tasks
from trm_edge.arc.crop import crop
from trm_edge.arc.encoding import CELLS, VOCAB_SIZE
from trm_edge.arc.grids import SIDE
from trm_edge.arc.task import TEST
from trm_edge.tasks.dataset import read_dataset
from trm_edge.training.numbered_variants import NumberedVariants, draw_numbered_variants
from trm_edge.training.questions import asked_questions, demonstration_questions, write_split
from trm_edge.training.run_folder import RunWriter


def unanswered(task: NumberedVariants) -> NumberedVariants:
    """The same task, the outputs of its test inputs unknown."""
    known = task.variants.task
    tests = tuple(pair._replace(output=None) for pair in known.tests)
    asked = replace(known, pairs={**known.pairs, TEST: tests})
    return replace(task, variants=replace(task.variants, task=asked))


def test_as_many_demonstrations_as_asked_for_and_the_same_ones_by_seed() -> None:
    tasks = draw_numbered_variants(toy_tasks(), 5, seed=0)
    questions = demonstration_questions(tasks, 10, 1)
    again = demonstration_questions(tasks, 10, 1)
    other = demonstration_questions(tasks, 10, 2)
    assert questions.tokens.shape == (10, CELLS)
    assert np.array_equal(questions.tokens, again.tokens)
    assert not np.array_equal(questions.tokens, other.tokens)
    test_inputs = asked_questions(tasks, 1000)
    asked = {tuple(crop(tokens).reshape(-1)) for tokens in test_inputs.tokens}
    assert not asked & {tuple(crop(tokens).reshape(-1)) for tokens in questions.tokens}


def test_every_task_is_asked_as_it_is_before_any_is_asked_under_a_variant() -> None:
    tasks = draw_numbered_variants(toy_tasks(), 5, seed=0)
    questions = asked_questions(tasks, 1000)
    firsts = [int(task.rows[0]) for task in tasks]
    assert questions.rows[: len(tasks)].tolist() == firsts
    assert sorted(questions.rows) == sorted(np.concatenate([task.rows for task in tasks]))
    grid = tasks[0].variants.task.tests[0].input
    assert crop(questions.tokens[0]).tolist() == grid.tolist()
    assert questions.labels is not None
    assert len(asked_questions(tasks, 3).rows) == 3
    assert len(asked_questions(tasks, 1000, variants=2).rows) == 2 * len(tasks)


def test_the_corner_of_the_canvas() -> None:
    tasks = draw_numbered_variants(toy_tasks(), 5, seed=0)
    whole = asked_questions(tasks, 4)
    corner = asked_questions(tasks, 4, side=5)
    expected = whole.tokens.reshape(-1, SIDE, SIDE)[:, :5, :5].reshape(4, -1)
    assert np.array_equal(corner.tokens, expected)


def test_no_answers_where_one_is_unknown() -> None:
    tasks = draw_numbered_variants(toy_tasks(), 5, seed=0)
    questions = asked_questions([unanswered(tasks[0]), *tasks[1:]], 1000)
    assert questions.labels is None


@pytest.mark.parametrize("answered", [True, False])
def test_a_split_is_read_as_it_was_written(answered: bool, tmp_path: Path) -> None:
    tasks = draw_numbered_variants(toy_tasks(), 5, seed=0)
    questions = asked_questions(tasks, 7)
    if not answered:
        questions = questions._replace(labels=None)
    with RunWriter(tmp_path / "run") as writer:
        write_split(writer, "test", questions, 13)
        writer.install()
    rows = list(read_dataset(tmp_path / "run", CELLS, VOCAB_SIZE))
    assert [row.identifier for row in rows] == questions.rows.tolist()
    assert np.array_equal([row.tokens for row in rows], questions.tokens)
    assert [row.labels is not None for row in rows] == [answered] * 7
