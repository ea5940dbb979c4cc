"""Settings of runs: what differs is named, and other runs and files are refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from trm_edge.errors import OutputExistsError
from trm_edge.run_settings import differences, refuse_other_files, refuse_other_settings


@dataclass(frozen=True)
class Settings:
    bundle: str = "a" * 64
    only_valid: bool = False
    explore: tuple[str, ...] = ()
    sigma: float | None = None


def test_both_values_of_every_difference_are_named() -> None:
    other = Settings("b" * 64, True, ("forms", "noise"), 0.5)
    assert differences(Settings(), Settings(), {}) == []
    assert differences(Settings(), other, {"bundle": "the bundle"}) == [
        "the bundle was aaaaaaaaaaaa… and is bbbbbbbbbbbb…",
        "--only-valid was off and is on",
        "--explore was not set and is forms,noise",
        "--sigma was not set and is 0.5",
    ]
    assert differences(other, replace(other, sigma=None), {}) == ["--sigma was 0.5 and is not set"]


def test_other_settings_are_refused_with_what_to_do(tmp_path: Path) -> None:
    refuse_other_settings(tmp_path, [])
    with pytest.raises(OutputExistsError, match=r"settings: a; b\. Pass the same .* or choose"):
        refuse_other_settings(tmp_path, ["a", "b"])


def test_files_of_something_else_are_refused(tmp_path: Path) -> None:
    refuse_other_files(tmp_path / "new", "run.json")
    (tmp_path / ".lock").touch()
    refuse_other_files(tmp_path, "run.json")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(OutputExistsError, match="is not a run of trm-edge solve"):
        refuse_other_files(tmp_path, "run.json")
    (tmp_path / "run.json").touch()
    refuse_other_files(tmp_path, "run.json")
