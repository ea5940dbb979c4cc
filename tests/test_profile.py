from __future__ import annotations

from typing import Any

import pytest

from trm_edge.errors import ConfigError
from trm_edge.profile import profile_from_dict, shipped_profile
from trm_edge.targets.profiles import load_profile, profile_names

BOARD: dict[str, Any] = {
    "description": "A board",
    "engine": "tensorrt",
    "compute_capability": "8.7",
    "memory_gb": 8,
    "tensorrt": ["10.3", "11.4"],
    "precisions": ["int8", "fp16"],
    "carry": "float16",
}


def test_float32_is_float32_on_any_target() -> None:
    board = profile_from_dict("board", BOARD)
    assert board.carry_of("int8") == "float16"
    assert board.carry_of("fp32") == "float32"


def test_an_unsupported_precision_lists_the_supported_ones() -> None:
    profile = profile_from_dict("board", BOARD)
    profile.require("int8")
    with pytest.raises(ConfigError, match="board does not support fp8; it supports int8, fp16"):
        profile.require("fp8")


def test_unknown_and_missing_keys() -> None:
    with pytest.raises(ConfigError, match="unknown speed, missing engine, precisions"):
        profile_from_dict("board", {"description": "", "speed": 1})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("precisions", ["int3"], "int8-weight-only, int4-weight-only, but got"),
        ("precisions", [], "precisions must be one or more"),
        ("correctness_only", ["fp8"], "correctness_only must be in precisions"),
        ("engine", "tvm", "engine must be one of onnxruntime, tensorrt, but got 'tvm'"),
        ("carry", "bfloat16", "carry must be one of float32, float16"),
        (
            "int8_ranges",
            "per_row",
            "int8_ranges must be one of per_token, per_token_products, per_layer",
        ),
        ("batch", [4, 2, 8], "batch must be three rising numbers"),
        ("batch", [0, 2, 8], "batch must be three rising numbers"),
        ("compute_capability", "sm87", "compute_capability must be like '8.7'"),
        ("tensorrt", ["10"], "tensorrt must be two versions like '10.3'"),
        ("memory_gb", 0, "memory_gb must be positive"),
        ("workspace_mb", 0, "workspace_mb must be positive"),
    ],
)
def test_wrong_values(key: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        profile_from_dict("board", BOARD | {key: value})


def test_a_value_of_another_type_is_refused() -> None:
    for key, value in (("memory_gb", "8"), ("opset", "19"), ("unified_memory", 1), ("batch", 4)):
        with pytest.raises(ConfigError, match="target board: ") as caught:
            profile_from_dict("board", BOARD | {key: value})
        assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("name", profile_names())
def test_shipped_profiles_are_read_without_the_code_of_the_workstation(name: str) -> None:
    assert shipped_profile(name) == load_profile(name)


def test_only_names_of_shipped_files_have_a_profile() -> None:
    for name in ("my-board", "", "../targets/l4", "L4"):
        assert shipped_profile(name) is None
