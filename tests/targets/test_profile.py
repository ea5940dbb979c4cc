"""Target profiles: the bundled files, their checks, and files of your own."""

from __future__ import annotations

from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import pytest

from trm_edge.errors import ConfigError
from trm_edge.profile import Precision, TargetProfile
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
