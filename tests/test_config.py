"""The model's configuration: every contradiction is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.toys import BASE, VARIANTS
from trm_edge.config import ModelConfig, swiglu_width
from trm_edge.errors import ConfigError


@pytest.mark.parametrize("name", VARIANTS)
def test_round_trip(name: str) -> None:
    assert ModelConfig.from_dict(VARIANTS[name].to_dict()) == VARIANTS[name]


def test_widths_of_the_published_models() -> None:
    assert swiglu_width(512, 4) == 1536
    assert swiglu_width(97, 4) == 512
    assert swiglu_width(916, 4) == 2560


def test_prefix_is_computed_where_it_is_not_given() -> None:
    assert VARIANTS["computed-prefix"].prefix_len == 2
    assert VARIANTS["mlp-no-embedding"].prefix_len == 0
    assert BASE.carry_len == BASE.prefix_len + BASE.seq_len == 11
    assert BASE.network_passes == 6


def test_missing_and_unknown_keys() -> None:
    values = BASE.to_dict()
    del values["H_cycles"]
    values["depth"] = 3
    with pytest.raises(ConfigError, match=r"missing H_cycles; unknown depth\. The keys are hidden"):
        ModelConfig.from_dict(values)


def test_whole_numbers_written_as_floats_are_whole_numbers() -> None:
    assert ModelConfig.from_dict(BASE.to_dict() | {"H_cycles": 2.0}).H_cycles == 2
    with pytest.raises(ConfigError, match=r"H_cycles must be of type int, but got 2\.5"):
        ModelConfig.from_dict(BASE.to_dict() | {"H_cycles": 2.5})


def test_rope_needs_an_even_head() -> None:
    with pytest.raises(ConfigError, match="even head size, but hidden_size / num_heads is 1"):
        replace(BASE, mlp_t=False, pos_encodings="rope", num_heads=32)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hidden_size": 0}, "hidden_size must be positive, but got 0"),
        ({"rope_theta": float("nan")}, "rope_theta must be positive, but got nan"),
        ({"expansion": float("inf")}, "expansion must be finite, but got inf"),
        ({"puzzle_emb_len": -1}, "puzzle_emb_len must be 0 or more, but got -1"),
        ({"pos_encodings": "sine"}, "must be one of rope, learned, none, but got 'sine'"),
        ({"mlp_t": False, "num_heads": 33}, "num_heads must be at most hidden_size 32, but got 33"),
        ({"puzzle_emb_ndim": 0}, "puzzle_emb_len is 2 but puzzle_emb_ndim is 0"),
        ({"puzzle_emb_ndim": 65}, "puzzle_emb_ndim 65 does not fit into .* = 2 x 32"),
        ({"vocab_size": 2**31}, "vocab_size must be at most 2147483647"),
    ],
)
def test_values_out_of_range(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(BASE, **values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"H_cycles": True}, "H_cycles must be of type int, but got True"),
        ({"H_cycles": "4"}, "H_cycles must be of type int, but got '4'"),
        ({"expansion": False}, "expansion must be of type float, but got False"),
        ({"rms_norm_eps": "1e-5"}, "rms_norm_eps must be of type float, but got '1e-5'"),
        ({"rope_theta": 10**400}, "rope_theta must be of type float, but got 1000"),
        ({"mlp_t": 1}, "mlp_t must be of type bool, but got 1"),
        ({"pos_encodings": None}, "pos_encodings must be of type str, but got None"),
    ],
)
def test_values_of_another_type(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ModelConfig.from_dict(BASE.to_dict() | values)
