from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.toys import BASE, toy_model
from tests.training.toys import ARC_TOY
from trm_edge.errors import ConfigError
from trm_edge.export.network import rope_tables
from trm_edge.training.window import window_indices, window_model, windowed


def test_positions_are_those_of_the_whole_canvas() -> None:
    model = window_model(ARC_TOY, 3)
    assert model.config.seq_len == 9
    assert window_indices(ARC_TOY, 3).tolist() == [0, 1, 2, 30, 31, 32, 60, 61, 62]
    assert model.rope is not None
    for own, whole in zip(model.rope, rope_tables(ARC_TOY), strict=True):
        prefix = ARC_TOY.prefix_len
        expected = torch.cat((whole[:prefix], whole[prefix + window_indices(ARC_TOY, 3)]))
        assert torch.equal(own, expected)


def test_the_largest_window_is_the_model_itself() -> None:
    whole = toy_model(ARC_TOY)
    model = window_model(ARC_TOY, 30)
    model.load_state_dict(whole.state_dict())
    tokens = torch.randint(0, 12, (2, 900), generator=torch.Generator().manual_seed(0))
    rows = torch.randn(2, ARC_TOY.puzzle_emb_ndim, generator=torch.Generator().manual_seed(1))
    reset = torch.ones(2, dtype=torch.bool)
    carry = whole.initial_carry(2)
    with torch.no_grad():
        expected = whole(tokens, rows, reset, carry).logits
        actual = model(tokens, rows, reset, carry).logits
    assert torch.equal(expected, actual)


@pytest.mark.parametrize("window", [0, 31])
def test_a_window_lies_on_the_canvas(window: int) -> None:
    with pytest.raises(ConfigError, match=f"{window} x {window} does not lie on a canvas of 900"):
        windowed(ARC_TOY, window)


@pytest.mark.parametrize("change", [{"mlp_t": True}, {"pos_encodings": "learned"}])
def test_positions_must_not_be_bound_to_the_canvas(change: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="a window needs attention with rotary positions"):
        windowed(replace(ARC_TOY, **change), 3)  # type: ignore[arg-type]


def test_a_puzzle_that_is_no_square() -> None:
    with pytest.raises(ConfigError, match="does not lie on a canvas of 8 tokens"):
        windowed(replace(BASE, seq_len=8), 2)
