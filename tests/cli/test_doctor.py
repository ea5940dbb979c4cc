"""``trm-edge doctor`` as a user calls it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from trm_edge import __version__
from trm_edge.backends.environment import Environment
from trm_edge.cli.doctor import ABILITIES, PACKAGES
from trm_edge.cli.main import cli
from trm_edge.doctor import PACKAGES as EXAMINED
from trm_edge.doctor import examine
from trm_edge.requirements import package_version


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


def test_problems_come_last_with_what_mends_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str | None:
        return {"rich": "11.2.0", "onnxruntime-gpu": "1.31.1"}.get(name, package_version(name))

    environment = Environment(package_version=version)
    monkeypatch.setattr("trm_edge.cli.doctor.examine", lambda: examine(environment))
    result = CliRunner().invoke(cli, ["doctor"])
    assert result.exit_code == 0, result.output
    problems = result.stdout[result.stdout.index("Problem: ") :]
    assert "Problem: rich 11.2.0 is too old; 13 or newer is needed.\n" in problems
    assert "Install it with: pip install 'rich>=13'" in problems
    assert "are both installed into one folder" in " ".join(problems.split())
    assert "pip uninstall -y onnxruntime onnxruntime-gpu && pip install" in problems
    report = json.loads(CliRunner().invoke(cli, ["doctor", "--json"]).stdout)
    assert [problem["id"] for problem in report["problems"]] == [
        "package_too_old",
        "onnxruntime_twice",
    ]


def test_every_package_and_ability_has_words() -> None:
    assert set(PACKAGES) == {*EXAMINED, "tomli"}  # needed before Python 3.11 alone
    assert set(ABILITIES) == {ability.id for ability in examine().abilities}
