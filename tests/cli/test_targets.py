"""`trm-edge targets` as a user calls it."""

from __future__ import annotations

import json

import pytest

from tests.cli.commands import failed, run
from trm_edge.targets.profiles import profile_names


def test_lists_every_target() -> None:
    result = run("targets")
    assert result.exit_code == 0, result.output
    for name in profile_names():
        assert f"\n{name} " in f"\n{result.stdout}"


@pytest.mark.parametrize("name", profile_names())
def test_explains_a_target(name: str) -> None:
    result = run("targets", name)
    assert result.exit_code == 0, result.output
    assert "INT8 inputs" in result.stdout
    assert ("TensorRT" in result.stdout) == (name != "cpu")


def test_json_has_the_same_shape_with_and_without_a_name() -> None:
    all_targets = json.loads(run("targets", "--json").stdout)
    assert list(all_targets) == ["format", "targets"]
    assert all_targets["format"] == "trm-edge.targets/1"
    assert [target["name"] for target in all_targets["targets"]] == profile_names()
    single = json.loads(run("targets", "l4", "--json").stdout)
    assert list(single) == ["format", "targets"]
    assert [target["name"] for target in single["targets"]] == ["l4"]
    assert single["targets"][0] in all_targets["targets"]


def test_an_unknown_name_suggests_the_closest() -> None:
    failed(run("targets", "l44"), "no target 'l44'", "Did you mean l4")
