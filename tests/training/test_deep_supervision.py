from __future__ import annotations

import pytest
import torch

from tests.toys import BASE, FAMILY, toy_model, toy_table, toy_tokens
from trm_edge.training.deep_supervision import (
    Slots,
    continue_target,
    stablemax_cross_entropy,
    training_step,
)


def test_cells_without_an_answer_do_not_count() -> None:
    logits = torch.randn(1, 4, 7, generator=torch.Generator().manual_seed(0))
    known = stablemax_cross_entropy(logits[:, :3], torch.tensor([[1, 2, 3]]))
    torch.testing.assert_close(stablemax_cross_entropy(logits, torch.tensor([[1, 2, 3, 0]])), known)
    assert stablemax_cross_entropy(logits, torch.zeros(1, 4, dtype=torch.int32)) == 0


def test_exploring_slots_continue_until_the_last_step() -> None:
    slots = Slots(400, BASE)
    generator = torch.Generator().manual_seed(0)
    stop = torch.ones(400, dtype=torch.bool)
    slots.advance(stop, generator, exploration=0.0)
    assert slots.halted.all()
    slots.steps.zero_()
    slots.advance(stop, generator, exploration=0.5)
    assert 100 < int(slots.halted.sum()) < 300
    slots.steps.fill_(BASE.halt_max_steps - 1)
    slots.advance(~stop, generator, exploration=1.0)
    assert slots.halted.all()


def test_the_target_of_continuing_is_the_best_of_the_next_step() -> None:
    config = FAMILY["hrm"]
    model = toy_model(config)
    tokens = torch.from_numpy(toy_tokens(config, 3))
    table = toy_table(config)
    assert table is not None
    rows = torch.from_numpy(table[:3])
    carry = model(tokens, rows, torch.ones(3, dtype=torch.bool), model.initial_carry(3)).carry
    following = model(tokens, rows, torch.zeros(3, dtype=torch.bool), carry)
    last = torch.tensor([False, False, True])
    target = continue_target(model, tokens, rows, carry, last)
    best = torch.maximum(following.q_halt, following.q_continue)
    torch.testing.assert_close(target[:2], best[:2].sigmoid())
    torch.testing.assert_close(target[2], following.q_halt[2].sigmoid())


@pytest.mark.parametrize("name", FAMILY)
def test_a_training_step_computes_what_the_model_does(name: str) -> None:
    config = FAMILY[name]
    model = toy_model(config)
    tokens = torch.from_numpy(toy_tokens(config, 2))
    table = toy_table(config)
    assert table is not None
    rows = torch.from_numpy(table[:2])
    reset = torch.ones(2, dtype=torch.bool)
    expected = model(tokens, rows, reset, model.initial_carry(2))
    actual = training_step(model, tokens, rows, reset, model.initial_carry(2))
    torch.testing.assert_close(actual.logits, expected.logits)
    assert list(actual.carry) == list(config.recursion.states)
