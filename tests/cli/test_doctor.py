"""``trm-edge doctor`` as a user calls it."""

from __future__ import annotations

import json

from click.testing import CliRunner

from trm_edge import __version__
from trm_edge.cli.doctor import ABILITIES, PACKAGES
from trm_edge.cli.main import cli
from trm_edge.doctor import PACKAGES as EXAMINED
from trm_edge.doctor import examine


def test_the_text_says_what_is_possible() -> None:
    result = CliRunner().invoke(cli, ["doctor"])
    assert result.exit_code == 0, result.output
    assert "yes  solve on the CPU" in result.stdout
    assert "run engines" in result.stdout
    assert "[export]" in result.stdout
    assert "\\" not in result.stdout  # no markup that was escaped for nothing


def test_the_json_is_a_record() -> None:
    result = CliRunner().invoke(cli, ["doctor", "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert list(report)[:2] == ["format", "trm_edge"]
    assert report["format"] == "trm-edge.doctor/1"
    assert report["trm_edge"] == __version__
    abilities = {ability["id"]: ability for ability in report["abilities"]}
    assert abilities["solve_cpu"] == {
        "id": "solve_cpu",
        "available": True,
        "reason": None,
        "remedy": None,
    }


def test_every_package_and_ability_has_words() -> None:
    assert set(PACKAGES) == set(EXAMINED)
    assert set(ABILITIES) == {ability.id for ability in examine().abilities}
