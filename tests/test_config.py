from __future__ import annotations

from dataclasses import replace

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
