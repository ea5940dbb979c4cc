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


def test_the_last_steps_of_a_recipe_see_the_whole_canvas_at_a_rate_of_their_own() -> None:
    recipe = TrainingRecipe(
        BASE, steps=100, warmup_steps=10, decay_steps=20, lr=1e-3, canvas_steps=10, canvas_lr=4e-4
    )
    schedule = RecipeSchedule(recipe)
    rates = [schedule.rate(step) for step in (50, 80, 89, 90, 95, 99)]
    assert rates == pytest.approx([1, 0.5, 0.05, 0.4, 0.2, 0.04])
    assert [schedule.whole_canvas(step) for step in (0, 89, 90, 99)] == [False, False, True, True]
    assert not RecipeSchedule(TrainingRecipe(BASE, steps=100)).whole_canvas(99)


def test_the_last_share_sees_the_whole_canvas() -> None:
    schedule = ShareSchedule(canvas=0.25)
    seen = []
    for done in (0.0, 0.74, 0.75, 1.0):
        schedule.done = done
        seen.append(schedule.whole_canvas(0))
    assert seen == [False, False, True, True]
    rates = []
    for done in (0.5, 0.65, 0.75, 0.875):
        schedule.done = done
        rates.append(schedule.rate(0))
    assert rates == pytest.approx([1, 0.5, 0.3, 0.15])
    assert not ShareSchedule(done=0.99).whole_canvas(0)


def test_a_share_warms_up_twice_and_decays() -> None:
    schedule = ShareSchedule(rows_first=0.25, warmup=0.02, decay=0.2)
    seen = {}
    for done in (0.0, 0.01, 0.1, 0.25, 0.26, 0.5, 0.9, 1.0):
        schedule.done = done
        seen[done] = (schedule.rate(0), schedule.rows_alone(0))
    rates = [rate for rate, _ in seen.values()]
    assert rates == pytest.approx([0.01, 0.5, 1, 0.01, 0.5, 1, 0.5, 0.01])
    assert [alone for _, alone in seen.values()] == [True] * 3 + [False] * 5
