from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.scripts import run


def test_it_goes_on_where_the_goal_is_met_and_stays_where_it_is_not(tmp_path: Path) -> None:
    code = """
import numpy as np
from curriculum import Curriculum

rounds_asked = []
def lesson(tokens, rounds):
    rounds_asked.append(rounds.tolist())
    return np.zeros_like(tokens)

def learn(one, shares):
    for share in shares:
        one.observe(share)

one = Curriculum(lesson, max_steps=4, first_rounds=3, later_rounds=2, goal=0.5, window=2)
labels = np.full((4, 2), 7, np.uint8)
steps = np.arange(4)
seen = []
for stage in range(8):
    assert one.stage == stage
    answers = one.labels(labels, labels, steps)
    assert (answers[3] == 7).all() and not answers[:3].any()  # the last step answers for all
    seen.append((one.depth, rounds_asked[-1]))
    learn(one, (0.2, 0.7, 0.2))
    assert one.stage == stage  # every mean of two lies below the goal
    again = Curriculum(lesson, max_steps=4, first_rounds=3, later_rounds=2, goal=0.5, window=2)
    again.restore(one.state())
    learn(one, (0.9,)), learn(again, (0.9,))
    assert one.stage == again.stage == stage + 1  # 0.2 and 0.9, also after a restart
assert [depth for depth, _ in seen] == [1, 1, 1, 2, 3, 4, 4, 4]
assert [rounds for _, rounds in seen][:3] == [[1, 2, 3, 4], [2, 4, 6, 8], [3, 5, 7, 9]]
assert seen[-1][1] == [3, 5, 7, 9]
print("ok")
"""
    assert run(code, tmp_path) == "ok\n"


def test_a_curriculum_is_resumed_with_the_training(tmp_path: Path) -> None:
    pytest.importorskip("numba", reason="needs pip install 'trm-edge[train]'")
    code = """
import dataclasses
from pathlib import Path
import torch
from reference_run import LessonTrainer
from train_reference import RUNS
run = RUNS["maze"]
model = dataclasses.replace(run.recipe.model, hidden_size=32, puzzle_emb_ndim=32, halt_max_steps=3)
recipe = dataclasses.replace(run.recipe, model=model, batch=4, warmup_steps=2)
torch.set_num_threads(1)
whole = LessonTrainer(recipe, run.batches, run.lesson)
figures = [whole.advance() for _ in range(3)]
assert all(one["depth"] == 1 and 0 <= one["learned"] <= 1 for one in figures)
whole.curriculum.stage = 3
part = LessonTrainer(recipe, run.batches, run.lesson)
whole.save(Path("state.pt")), part.load(Path("state.pt"))
assert part.curriculum.state() == whole.curriculum.state()
for _ in range(2):
    assert whole.advance() == part.advance()
assert whole.slots.max_steps == 2
print("ok")
"""
    assert run(code, tmp_path) == "ok\n"
