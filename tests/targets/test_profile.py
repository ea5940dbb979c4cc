"""Target profiles: the bundled files, their checks, and files of your own."""

from __future__ import annotations

from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import pytest

from trm_edge.errors import ConfigError
from trm_edge.profile import Precision, TargetProfile, profile_from_dict
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


@pytest.mark.parametrize("name", profile_names())
def test_every_file_is_a_profile(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert profile.description
    assert profile.precisions
    if profile.engine == "tensorrt":
        capable = tuple(map(int, profile.compute_capability.split("."))) >= (8, 9)
        assert ("fp8" in profile.precisions) == capable
        assert profile.carry == "float16"
        assert profile.opset <= 19 or profile.tensorrt[0] != "10.3"
        assert bool(profile.power_modes) == name.startswith("jetson-")
        is_soc = name.startswith("jetson-") or name in {"gb10", "igx-thor"}
        assert profile.unified_memory == is_soc


def test_tensorrt_11_is_for_the_boards_that_nvidia_names() -> None:
    newest = {}
    for name in profile_names():
        profile = load_profile(name)
        if "JetPack" in profile.software:
            newest[name] = profile.tensorrt[1]
    boards = {name for name, version in newest.items() if version == "11.4"}
    assert boards == {"jetson-agx-orin-32gb", "jetson-agx-orin-64gb", "jetson-agx-thor"}
    assert {version for name, version in newest.items() if name not in boards} == {"10.16"}


def test_the_cpu_has_every_precision() -> None:
    profile = load_profile("cpu")
    assert set(profile.precisions) == set(get_args(Precision))
    assert set(profile.correctness_only) == {"fp8", "fp16"}
    assert {profile.carry_of(precision) for precision in ("int8", "fp8", "fp32")} == {"float32"}
    assert profile.carry_of("fp16") == "float16"


def test_float32_is_float32_on_any_target() -> None:
    board = profile_from_dict("board", BOARD)
    assert board.carry_of("int8") == "float16"
    assert board.carry_of("fp32") == "float32"


def test_an_unsupported_precision_lists_what_there_is() -> None:
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


def test_an_unknown_target_suggests_the_closest() -> None:
    with pytest.raises(ConfigError, match=r"no target 'cpuu'; .* Did you mean cpu\?"):
        load_profile("cpuu")
    with pytest.raises(ConfigError, match=r"Did you mean jetson-orin-nano"):
        load_profile("jetson-orin-nan")


def test_adding_a_device_is_adding_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (resources.files("trm_edge.targets") / "l4.toml").read_text()
    (tmp_path / "l5.toml").write_text(text.replace("L4, 24 GB", "L5, 32 GB"))
    monkeypatch.setattr("trm_edge.targets.profiles.resources.files", lambda package: tmp_path)
    assert profile_names() == ["l5"]
    assert load_profile("l5").description == "NVIDIA L5, 32 GB"


def test_a_file_of_your_own(tmp_path: Path) -> None:
    text = (resources.files("trm_edge.targets") / "l4.toml").read_text()
    path = tmp_path / "my-board.toml"
    path.write_text(text)
    bundled = load_profile("l4")
    loaded = load_profile(str(path))
    assert loaded.name == "my-board"
    for field in fields(TargetProfile):
        assert field.name == "name" or getattr(loaded, field.name) == getattr(bundled, field.name)
    path.write_text("precisions = [")
    with pytest.raises(
        ConfigError, match=r"not a target profile: .*my-board\.toml is not valid TOML"
    ):
        load_profile(str(path))
    with pytest.raises(ConfigError, match="is named after its file"):
        load_profile(str(tmp_path / "My Board.toml"))
    with pytest.raises(ConfigError, match="not float32"):
        load_profile(str(tmp_path / "float32.toml"))
