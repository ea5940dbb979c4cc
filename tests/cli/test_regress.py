"""`trm-edge regress` as a user calls it; no verdict here rests on a time."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.benchmarks.scripts import injuries
from tests.cli.test_commands import failed, run
from trm_edge.regression.baseline import Measurement
from trm_edge.regression.check import CHECKS


@pytest.fixture(scope="module")
def baseline(toy_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("baseline") / "baseline.json"
    result = run("regress", toy_bundle, "--baseline", path, "--update", "--no-speed")
    assert result.exit_code == 0, result.output
    assert "8 puzzles, speed on 0 kinds of machine" in result.stdout
    return path


def test_unchanged_is_green_everywhere(
    toy_bundle: Path, baseline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary, junit = tmp_path / "summary.md", tmp_path / "out/junit.xml"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    given = ("--junit", junit, "-o", tmp_path / "out/regress.json")
    result = run("regress", toy_bundle, "--baseline", baseline, "--no-speed", *given)
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "out/regress.json").read_text())["regressed"] == []
    assert "nothing regressed" in result.stdout
    assert "::error" not in result.stdout
    assert "nothing regressed" in summary.read_text()
    suite = ET.parse(junit).getroot()[0]
    assert suite.attrib["failures"] == "0"
    assert {case.attrib["name"] for case in suite} <= set(CHECKS)


def test_wronger_is_red_everywhere(
    toy_bundle: Path, baseline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shifted = injuries().injured(toy_bundle, tmp_path / "b", injuries().halting_shifted(50.0))
    summary, junit = tmp_path / "summary.md", tmp_path / "junit.xml"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    arguments = ("regress", shifted, "--baseline", baseline, "--no-speed", "--junit", junit)
    result = run(*arguments)
    assert result.exit_code == 1
    assert "REGRESSED" in result.stdout
    annotation = next(x for x in result.stdout.splitlines() if x.startswith("::error"))
    assert "::same halting step: 100 %25 before, " in annotation
    assert "**same halting step**" in summary.read_text()
    suite = ET.parse(junit).getroot()[0]
    assert int(suite.attrib["failures"]) >= 1
    assert any(
        "same halting step: " in failure.attrib["message"] for failure in suite.iter("failure")
    )
    content = json.loads(run(*arguments, "--json").stdout)
    assert "same halting step" in content["regressed"]
    assert content["target"] == "cpu"


def test_labels_shuffled_are_told(toy_bundle: Path, baseline: Path, tmp_path: Path) -> None:
    shuffled = injuries().labels_shuffled(toy_bundle, tmp_path / "b")
    result = run("regress", shuffled, "--baseline", baseline, "--no-speed")
    assert result.exit_code == 1
    assert "the puzzles are the same, their known answers are not" in " ".join(
        result.stdout.split()
    )


def test_changes_that_no_answer_shows(toy_bundle: Path, baseline: Path, tmp_path: Path) -> None:
    """Doubled scales move the carry at once, whatever they do to eight puzzles."""
    changed = injuries().injured(toy_bundle, tmp_path / "b", injuries().scale_doubled)
    result = run("regress", changed, "--baseline", baseline, "--no-speed", "--json")
    assert "error of the carry" in json.loads(result.stdout)["regressed"]


def test_budgets_decide(toy_bundle: Path, baseline: Path, tmp_path: Path) -> None:
    changed = injuries().injured(toy_bundle, tmp_path / "b", injuries().halting_shifted(50.0))
    config = tmp_path / "budgets.toml"
    config.write_text("[regress]\nhalting_agreement = 0\nmax_drop = 100\nsteps = 1000\n")
    arguments = ("regress", changed, "--baseline", baseline, "--no-speed")
    assert run(*arguments).exit_code == 1
    assert run(*arguments, "--config", config).exit_code == 0
    config.write_text("[regress]\nspeed = 1\n")
    failed(run(*arguments, "--config", config), "[regress] has speed, but knows only")


def test_speed_is_measured_and_kept(toy_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    little = ("--repeats", 3)
    assert run("regress", toy_bundle, "--baseline", path, "--update", *little).exit_code == 0
    speed = Measurement.read(path).speeds[0]
    assert set(speed.times) == {"1", "8"}
    assert set(speed.times["1"]) == {"step", "matmul", "float32 step"}
    assert speed.memory > 0
    result = run("regress", toy_bundle, "--baseline", path, *little, "--json")
    names = {check["name"] for check in json.loads(result.stdout)["checks"]}
    assert {"a step of 1 slot", "a step of 8 slots", "peak memory", "start-up"} <= names
    # An update keeps what is known of other machines, and replaces this one's.
    assert run("regress", toy_bundle, "--baseline", path, "--update", *little).exit_code == 0
    assert len(Measurement.read(path).speeds) == 1


def test_a_bundle_that_breaks_its_limits_makes_no_baseline(
    toy_bundle: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "strict"
    shutil.copytree(toy_bundle, copy)
    changed = injuries().injured(copy, tmp_path / "changed", injuries().halting_shifted(50.0))
    manifest = json.loads((changed / "manifest.json").read_text())
    manifest["limits"] = {"max_drop": 100, "min_halting_agreement": 1}
    (changed / "manifest.json").write_text(json.dumps(manifest))
    path = tmp_path / "b.json"
    failed(
        run("regress", changed, "--baseline", path, "--update", "--no-speed"),
        "the baseline is not written",
        "breaks its own limits against float32",
    )
    assert not path.exists()


def test_regress_misused(toy_bundle: Path, baseline: Path, tmp_path: Path) -> None:
    failed(run("regress", toy_bundle), "Missing option '--baseline'", code=2)
    failed(
        run("regress", toy_bundle, "--baseline", tmp_path / "absent.json"),
        "there is no baseline at",
        "--update",
    )
    other = tmp_path / "other.json"
    other.write_text(baseline.read_text().replace('"target": "cpu"', '"target": "l4"'))
    failed(
        run("regress", toy_bundle, "--baseline", other, "--target", "cpu"),
        "was written for the target l4, but cpu is asked for",
    )
    # Nor is it replaced: an update of one target leaves another's baseline alone.
    failed(
        run("regress", toy_bundle, "--baseline", other, "--target", "cpu", "--update"),
        "was written for the target l4",
    )
    # Without --target it is the baseline's.
    failed(run("regress", toy_bundle, "--baseline", other), "has no target 'l4'; it has cpu")
