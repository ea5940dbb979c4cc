from __future__ import annotations

from typing import get_args

import pytest

from trm_edge.errors import ConfigError
from trm_edge.targets.profile import Precision, load_profile, profile_from_dict, profile_names


@pytest.mark.parametrize("name", profile_names())
def test_every_file_is_a_profile(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert profile.description
    assert profile.precisions


def test_the_cpu_has_every_precision() -> None:
    profile = load_profile("cpu")
    assert set(profile.precisions) == set(get_args(Precision))
    assert set(profile.correctness_only) == {"fp8", "fp16"}


def test_an_unsupported_precision_lists_what_there_is() -> None:
    profile = profile_from_dict("board", {"description": "", "precisions": ["int8", "fp16"]})
    profile.require("int8")
    with pytest.raises(ConfigError, match="board has no fp8; it has int8, fp16"):
        profile.require("fp8")


def test_unknown_missing_and_wrong_keys() -> None:
    with pytest.raises(ConfigError, match="unknown speed, missing precisions"):
        profile_from_dict("board", {"description": "", "speed": 1})
    with pytest.raises(ConfigError, match="int8-weight-only, int4-weight-only, but got 'int3'"):
        profile_from_dict("board", {"description": "", "precisions": ["int3"]})


def test_an_unknown_target_suggests_the_closest() -> None:
    with pytest.raises(ConfigError, match=r"no target 'cpuu'; .* Did you mean cpu\?"):
        load_profile("cpuu")
