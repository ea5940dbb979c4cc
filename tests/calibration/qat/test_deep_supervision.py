from __future__ import annotations

import torch

from tests.toys import BASE
from trm_edge.calibration.qat.deep_supervision import Slots, stablemax_cross_entropy


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
