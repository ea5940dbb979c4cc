from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.toys import BASE, toy_model
from tests.training.toys import NAMES, toy_checkpoint, toy_tasks
from trm_edge.arc.task import ArcTask
from trm_edge.errors import CheckpointError, ConfigError, TrainingError
from trm_edge.export.checkpoint import Checkpoint, load_checkpoint
from trm_edge.training.adapt_recipe import AdaptRecipe, Limit
from trm_edge.training.adaptation import Adaptation, AdaptationStep
from trm_edge.training.row_plan import plan_rows
from trm_edge.training.run_folder import write_checkpoint

RECIPE = AdaptRecipe(augmentations=3, batch=2, lr=1e-3)
STEPS = 8


def adaptation(
    checkpoint: Checkpoint,
    state: Path,
    recipe: AdaptRecipe = RECIPE,
    limit: Limit | None = None,
    tasks: list[ArcTask] | None = None,
) -> Adaptation:
    return Adaptation(
        checkpoint,
        toy_tasks() if tasks is None else tasks,
        recipe,
        limit or Limit(steps=STEPS),
        state=state,
        device=torch.device("cpu"),
        dtype=torch.float32,
    )


def table_of(checkpoint: Checkpoint) -> NDArray[np.float32]:
    assert checkpoint.puzzle_embeddings is not None
    return checkpoint.puzzle_embeddings


def test_rows_begin_with_their_own_or_the_mean(tmp_path: Path) -> None:
    checkpoint = toy_checkpoint(tmp_path)
    plan = plan_rows(checkpoint, toy_tasks(), RECIPE)
    assert plan.names[0] == NAMES[0]
    assert plan.names[1] == "mirror"
    assert plan.names.index("recolour") == 5
    trained = torch.from_numpy(table_of(checkpoint))
    assert torch.equal(plan.table[0], trained[0])
    assert torch.equal(plan.table[1], trained[1])
    assert plan.known == 1
    for row in plan.table[2:]:
        assert torch.equal(row, trained.mean(0))
    rows = np.concatenate([task.rows for task in plan.tasks])
    assert rows.tolist() == list(range(1, len(plan.names)))


def test_an_interrupted_adaptation_ends_like_a_whole_one(tmp_path: Path) -> None:
    checkpoint = toy_checkpoint(tmp_path / "run")
    whole = adaptation(checkpoint, tmp_path / "whole").run()
    part = adaptation(checkpoint, tmp_path / "part")

    def interrupt(step: AdaptationStep) -> None:
        if step.step == 5:
            os.kill(os.getpid(), signal.SIGINT)

    former = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            part.run(report=interrupt)
    finally:
        signal.signal(signal.SIGINT, former)
    rest = adaptation(checkpoint, tmp_path / "part")
    assert rest.steps == 5
    continued = rest.run()
    assert continued.steps == STEPS
    one = whole.checkpoint
    other = continued.checkpoint
    assert torch.equal(one.model.lm_head.weight, other.model.lm_head.weight)
    assert np.array_equal(table_of(one), table_of(other))


def test_the_rows_are_trained_first_and_then_everything(tmp_path: Path) -> None:
    checkpoint = toy_checkpoint(tmp_path / "run")
    steps: list[AdaptationStep] = []
    adapted = adaptation(checkpoint, tmp_path / "state").run(report=steps.append)
    assert [step.rows_alone for step in steps] == [True] * 2 + [False] * 6
    assert [step.done for step in steps] == [number / STEPS for number in range(1, STEPS + 1)]
    head = adapted.checkpoint.model.lm_head.weight
    assert not torch.equal(head, checkpoint.model.lm_head.weight)
    plan = plan_rows(checkpoint, toy_tasks(), RECIPE)
    moved = (table_of(adapted.checkpoint) != plan.table.numpy()).any(1)
    assert not moved[0]
    assert moved[1:].any()


def test_time_ends_it(tmp_path: Path) -> None:
    checkpoint = toy_checkpoint(tmp_path / "run")
    adapted = adaptation(checkpoint, tmp_path / "state", limit=Limit(seconds=0.3)).run()
    assert adapted.seconds >= 0.3
    assert adapted.steps >= 1
    # The time of earlier calls counts.
    again = adaptation(checkpoint, tmp_path / "state", limit=Limit(seconds=0.3))
    assert again.done == 1
    assert again.run().steps == adapted.steps


def test_the_model_learns_the_demonstrations(tmp_path: Path) -> None:
    checkpoint = toy_checkpoint(tmp_path / "run")
    recipe = AdaptRecipe(augmentations=0, batch=4, lr=1e-2)
    steps: list[AdaptationStep] = []
    limit = Limit(steps=120)
    adaptation(checkpoint, tmp_path / "state", recipe, limit).run(report=steps.append)
    losses = [step.loss for step in steps]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])


def test_the_state_of_another_adaptation_is_refused(tmp_path: Path) -> None:
    checkpoint = toy_checkpoint(tmp_path / "run")
    state = tmp_path / "state"
    adaptation(checkpoint, state).save()
    with pytest.raises(TrainingError, match=r"of another run: lr 0\.001, not 0\.5, seed 0, not 7"):
        adaptation(checkpoint, state, replace(RECIPE, lr=0.5, seed=7))
    with pytest.raises(TrainingError, match=r"of another run: .*other tasks"):
        adaptation(checkpoint, state, tasks=toy_tasks()[:1])
    other = replace(checkpoint, model=toy_model(checkpoint.config, seed=5))
    with pytest.raises(TrainingError, match="of another run: other weights"):
        adaptation(other, state)
    adaptation(checkpoint, state, limit=Limit(seconds=1.0))  # the time may change


@pytest.mark.parametrize("content", [b"", b"no state", None])
def test_a_damaged_state_is_refused(tmp_path: Path, content: bytes | None) -> None:
    checkpoint = toy_checkpoint(tmp_path / "run")
    state = tmp_path / "state"
    adaptation(checkpoint, state).save()
    saved = state.read_bytes()
    state.write_bytes(saved[: len(saved) // 2] if content is None else content)
    with pytest.raises(TrainingError, match=r"state of an adaptation.*Delete it to start again"):
        adaptation(checkpoint, state)


def test_what_cannot_be_adapted(tmp_path: Path) -> None:
    checkpoint = toy_checkpoint(tmp_path / "run")
    with pytest.raises(ConfigError, match="there is no task to adapt to"):
        plan_rows(checkpoint, [], RECIPE)
    with pytest.raises(ConfigError, match=r"more than 8 GiB\. Lower --augmentations"):
        plan_rows(checkpoint, toy_tasks(), AdaptRecipe(augmentations=10**8))
    with pytest.raises(CheckpointError, match="has no puzzle embeddings"):
        plan_rows(replace(checkpoint, puzzle_embeddings=None), toy_tasks(), RECIPE)
    folder = tmp_path / "sudoku"
    write_checkpoint(folder, toy_model(BASE), torch.zeros(3, BASE.puzzle_emb_ndim), 1, {})
    with pytest.raises(CheckpointError, match=r"is no model of ARC-AGI: it has 9 cells and 7 tok"):
        plan_rows(load_checkpoint(folder), toy_tasks(), RECIPE)


@pytest.mark.parametrize("limits", [(None, None), (3, 3.0)])
def test_a_limit_is_of_steps_or_of_time(limits: tuple[int | None, float | None]) -> None:
    with pytest.raises(ConfigError, match="the number of steps or the time"):
        Limit(*limits)
