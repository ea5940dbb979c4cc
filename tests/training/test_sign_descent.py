"""Rows move as in eight recorded steps of the published training with ``freeze_weights``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.tasks.dataset import IGNORED
from trm_edge.training.deep_supervision import supervise, training_step
from trm_edge.training.sign_descent import sign_descent

DATA = Path(__file__).parents[1] / "data" / "arc_adapt"
LR = 1e-2
WEIGHT_DECAY = 0.1


def test_rows_move_by_the_signs_of_recorded_gradients() -> None:
    recorded = np.load(DATA / "expected.npz")
    for step in range(len(recorded["gradient"])):
        table = torch.from_numpy(recorded["rows"][step].copy())
        identifiers = torch.from_numpy(recorded["used_identifiers"][step])
        gradient = torch.from_numpy(recorded["gradient"][step])
        sign_descent(table, identifiers, gradient, LR, WEIGHT_DECAY)
        np.testing.assert_allclose(table.numpy(), recorded["rows"][step + 1], atol=1e-6)


def test_gradients_of_the_rows_have_the_recorded_signs() -> None:
    recorded = np.load(DATA / "expected.npz")
    model = load_checkpoint(DATA).model
    batch = recorded["inputs"].shape[1]
    halted = torch.ones(batch, dtype=torch.bool)
    tokens = torch.zeros(recorded["inputs"].shape[1:], dtype=torch.int32)
    labels = torch.zeros_like(tokens)
    carry = model.initial_carry(batch)
    agreeing = []
    for step, gradient in enumerate(recorded["gradient"]):
        # A slot keeps its puzzle until it halts, and then takes its own of the batch.
        tokens[halted] = torch.from_numpy(recorded["inputs"][step])[halted]
        asked = np.where(recorded["labels"][step] < 0, IGNORED, recorded["labels"][step])
        labels[halted] = torch.from_numpy(asked)[halted]
        table = torch.from_numpy(recorded["rows"][step])
        rows = table[torch.from_numpy(recorded["used_identifiers"][step]).long()]
        rows.requires_grad_()
        out = training_step(model, tokens, rows, halted, carry)
        supervision = supervise(out, labels)
        supervision.loss.backward()  # type: ignore[no-untyped-call]
        assert rows.grad is not None
        agreeing.append((rows.grad.sign().numpy() == np.sign(gradient)).mean())
        losses = supervision.answer_loss.item(), supervision.halting_loss.item()
        expected = recorded["lm_loss"][step], recorded["q_halt_loss"][step]
        np.testing.assert_allclose(losses, expected, rtol=1e-3)
        carry = {name: state.detach() for name, state in out.carry.items()}
        halted = torch.from_numpy(recorded["halted"][step])
    assert np.mean(agreeing) >= 0.99


def test_slots_with_the_same_row_add_up_and_others_stay() -> None:
    table = torch.ones(3, 2)
    gradient = torch.tensor([[3.0, -1.0], [-1.0, -1.0]])
    sign_descent(table, torch.tensor([1, 1]), gradient, 0.5, 0.1)
    decayed = 1 - 0.5 * 0.1
    assert torch.equal(table[1], torch.tensor([decayed - 0.5, decayed + 0.5]))
    assert torch.equal(table[[0, 2]], torch.ones(2, 2))
