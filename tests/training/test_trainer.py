from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.toys import BASE, FAMILY, toy_model
from tests.training.toys import ARC_TOY
from trm_edge.arc.grids import SIDE
from trm_edge.config import ModelConfig
from trm_edge.errors import TrainingError
from trm_edge.export.model import RecursiveModel
from trm_edge.training.recipe import TrainingRecipe
from trm_edge.training.schedule import ShareSchedule
from trm_edge.training.trainer import Batch, Trainer

CPU = torch.device("cpu")
RECIPE = TrainingRecipe(BASE, batch=4, warmup_steps=2, lr=1e-2, rows_lr=1e-2)


def random_batches(random: np.random.Generator) -> Iterator[Batch]:
    """Puzzles of the toy model, five at a time."""
    while True:
        tokens = random.integers(1, BASE.vocab_size, (5, BASE.seq_len))
        labels = random.integers(0, BASE.vocab_size, (5, BASE.seq_len))
        yield tokens, labels, random.integers(0, BASE.num_puzzle_identifiers, 5)


def make_trainer(
    recipe: TrainingRecipe = RECIPE,
    start: RecursiveModel | None = None,
    schedule: ShareSchedule | None = None,
) -> Trainer:
    config = recipe.model
    return Trainer(
        recipe,
        random_batches,
        start or toy_model(config),
        torch.zeros(config.num_puzzle_identifiers, config.puzzle_emb_ndim),
        device=CPU,
        dtype=torch.float32,
        schedule=schedule,
    )


def weights(trainer: Trainer) -> list[torch.Tensor]:
    model, table = trainer.averaged()
    return [*model.parameters(), table]


@pytest.mark.parametrize("rows_lr", [None, 1e-2])
@pytest.mark.parametrize("config", [BASE, FAMILY["hrm-mlp"]], ids=["trm", "hrm"])
def test_it_resumes_where_it_stopped(
    config: ModelConfig, rows_lr: float | None, tmp_path: Path
) -> None:
    recipe = replace(RECIPE, model=config, rows_lr=rows_lr)
    whole = make_trainer(recipe)
    losses = [whole.advance()["loss"] for _ in range(5)]
    assert len(set(losses)) == 5
    part = make_trainer(recipe)
    part.advance()
    part.advance()
    torch.save(part.content(), tmp_path / "state.pt")
    rest = make_trainer(recipe)
    rest.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    assert [rest.advance()["loss"] for _ in range(3)] == losses[2:]
    for one, other in zip(weights(whole), weights(rest), strict=True):
        assert torch.equal(one, other)


WINDOW = 4
WINDOWED = replace(
    RECIPE, model=ARC_TOY, steps=5, window=WINDOW, canvas_steps=3, canvas_batch=2, decay_steps=2
)


def arc_batches(side: int, random: np.random.Generator) -> Iterator[Batch]:
    """Random grids in a corner of the canvas, three at a time."""
    while True:
        tokens = random.integers(0, ARC_TOY.vocab_size, (3, side * side))
        labels = random.integers(0, ARC_TOY.vocab_size, (3, side * side))
        yield tokens, labels, random.integers(0, ARC_TOY.num_puzzle_identifiers, 3)


def windowed_trainer(rows_lr: float | None) -> Trainer:
    return Trainer(
        replace(WINDOWED, rows_lr=rows_lr),
        partial(arc_batches, WINDOW),
        toy_model(ARC_TOY),
        torch.zeros(ARC_TOY.num_puzzle_identifiers, ARC_TOY.puzzle_emb_ndim),
        device=CPU,
        dtype=torch.float32,
        canvas_data=partial(arc_batches, SIDE),
    )


@pytest.mark.parametrize("rows_lr", [None, 1e-2])
@pytest.mark.parametrize("stop", [1, 2, 3])
def test_the_last_steps_see_the_whole_canvas_and_resume(
    stop: int, rows_lr: float | None, tmp_path: Path
) -> None:
    whole = windowed_trainer(rows_lr)
    losses = []
    shapes = []
    for _ in range(5):
        losses.append(whole.advance()["loss"])
        shapes.append(tuple(whole.slots.tokens.shape))
    assert shapes == [(4, WINDOW**2)] * 2 + [(2, SIDE**2)] * 3
    assert all(torch.isfinite(value).all() for value in weights(whole))
    part = windowed_trainer(rows_lr)
    for _ in range(stop):
        part.advance()
    torch.save(part.content(), tmp_path / "state.pt")
    rest = windowed_trainer(rows_lr)
    rest.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    assert [rest.advance()["loss"] for _ in range(5 - stop)] == losses[stop:]
    for one, other in zip(weights(whole), weights(rest), strict=True):
        assert torch.equal(one, other)


def test_steps_on_the_canvas_train_the_same_weights() -> None:
    trainer = windowed_trainer(1e-2)
    trainer.advance()
    trainer.advance()
    before = weights(trainer)
    trainer.advance()
    after = weights(trainer)
    for one, other in zip(before, after, strict=True):
        assert not torch.equal(one, other)
        assert (one - other).abs().max() < 0.5  # moved, not begun anew


def test_the_model_to_begin_with_is_not_changed() -> None:
    start = toy_model(BASE)
    before = [parameter.clone() for parameter in start.parameters()]
    make_trainer(start=start).advance()
    for one, other in zip(before, start.parameters(), strict=True):
        assert torch.equal(one, other)


def test_rows_alone_move_while_the_schedule_says_so() -> None:
    schedule = ShareSchedule(rows_first=0.5)
    trainer = make_trainer(schedule=schedule)
    before = weights(trainer)
    for _ in range(3):
        trainer.advance()
    after = weights(trainer)
    assert not torch.equal(after[-1], before[-1])
    for one, other in zip(before[:-1], after[:-1], strict=True):
        assert torch.equal(one, other)
    schedule.done = 0.9
    trainer.advance()
    assert any(
        not torch.equal(one, other)
        for one, other in zip(before[:-1], weights(trainer)[:-1], strict=True)
    )


def test_it_learns() -> None:
    def one_puzzle(random: np.random.Generator) -> Iterator[Batch]:
        tokens = np.arange(BASE.seq_len) % BASE.vocab_size
        while True:
            yield tokens[np.newaxis], tokens[np.newaxis] % 3 + 1, np.array([1])

    trainer = Trainer(
        replace(RECIPE, batch=2),
        one_puzzle,
        toy_model(BASE),
        torch.zeros(3, BASE.puzzle_emb_ndim),
        device=CPU,
        dtype=torch.float32,
    )
    losses = [trainer.advance()["loss"] for _ in range(60)]
    assert np.mean(losses[-5:]) < 0.1 * np.mean(losses[:5])


def test_a_loss_that_is_not_finite_ends_it() -> None:
    start = toy_model(BASE)
    with torch.no_grad():
        start.lm_head.weight.fill_(torch.nan)
    with pytest.raises(TrainingError, match=r"the loss became nan in step 1\. Lower the learning"):
        make_trainer(start=start).advance()
