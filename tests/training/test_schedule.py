from __future__ import annotations

import pytest

from tests.toys import BASE
from trm_edge.training.recipe import TrainingRecipe
from trm_edge.training.schedule import RecipeSchedule, ShareSchedule


def test_a_recipe_warms_up_and_decays() -> None:
    recipe = TrainingRecipe(BASE, steps=100, warmup_steps=10, decay_steps=20)
    schedule = RecipeSchedule(recipe)
    rates = [schedule.rate(step) for step in (0, 9, 50, 90, 99, 200)]
    assert rates == pytest.approx([0.1, 1, 1, 0.5, 0.05, 0.05])
    assert not schedule.rows_alone(0)


def test_a_share_warms_up_twice_and_decays() -> None:
    schedule = ShareSchedule(rows_first=0.25, warmup=0.02, decay=0.2)
    seen = {}
    for done in (0.0, 0.01, 0.1, 0.25, 0.26, 0.5, 0.9, 1.0):
        schedule.done = done
        seen[done] = (schedule.rate(0), schedule.rows_alone(0))
    rates = [rate for rate, _ in seen.values()]
    assert rates == pytest.approx([0.01, 0.5, 1, 0.01, 0.5, 1, 0.5, 0.01])
    assert [alone for _, alone in seen.values()] == [True] * 3 + [False] * 5
