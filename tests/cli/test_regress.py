"""`trm-edge regress` as a user calls it; no verdict here depends on a time."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.benchmarks.scripts import injuries
from tests.cli.commands import failed, run
from trm_edge import typed_values
from trm_edge.cli.regress import INCONCLUSIVE, NO_VERDICT
from trm_edge.errors import BackendError
from trm_edge.regression import run as regression_run
from trm_edge.regression.baseline import Measurement
from trm_edge.regression.check import CHECK_IDS
from trm_edge.regression.result import RegressionResult


@pytest.fixture(scope="module")
def baseline(toy_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("baseline") / "baseline.json"
    result = run("regress", toy_bundle, "--baseline", path, "--update", "--no-speed")
    assert result.exit_code == 0, result.output
    assert "8 puzzles, speed on 0 kinds of machine" in result.stdout
    return path


@pytest.fixture(scope="module")
def shifted(toy_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that halts at once."""
    copy = tmp_path_factory.mktemp("shifted") / "b"
    return Path(injuries().injured(toy_bundle, copy, injuries().halting_shifted(50.0)))


def red(output: str) -> list[str]:
    """Identifiers of the checks that regressed in the JSON that was printed."""
    content = json.loads(output)
    return [check["id"] for check in content["checks"] if check["verdict"] == "regressed"]


def test_unchanged_is_green_in_every_output(
    toy_bundle: Path, baseline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    junit = tmp_path / "out" / "junit.xml"
    output = tmp_path / "out" / "regress.json"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    outputs = ("--junit", junit, "-o", output)
    result = run("regress", toy_bundle, "--baseline", baseline, "--no-speed", *outputs)
    assert result.exit_code == 0, result.output
    assert json.loads(output.read_text())["verdict"] == "ok"
    assert "nothing regressed" in result.stdout
    assert "::error" not in result.stdout
    assert "nothing regressed" in summary.read_text()
    suite = ET.parse(junit).getroot()[0]
    assert suite.attrib["failures"] == "0"
    assert {case.attrib["name"] for case in suite} <= set(CHECK_IDS)


def test_less_accurate_is_red_in_every_output(
    shifted: Path, baseline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    junit = tmp_path / "junit.xml"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    arguments = ("regress", shifted, "--baseline", baseline, "--no-speed", "--junit", junit)
    result = run(*arguments)
    assert result.exit_code == 1
    assert "REGRESSED" in result.stdout
    errors = [line for line in result.stdout.splitlines() if line.startswith("::error")]
    assert any("::halting.same_step: 100.0 %25 before, " in line for line in errors)
    assert "**halting.same_step**" in summary.read_text()
    suite = ET.parse(junit).getroot()[0]
    assert int(suite.attrib["failures"]) >= 1
    messages = [failure.attrib["message"] for failure in suite.iter("failure")]
    assert any(message.startswith("halting.same_step: ") for message in messages)


def test_json_is_the_registered_record_and_its_annotations_go_to_stderr(
    shifted: Path, baseline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = run("regress", shifted, "--baseline", baseline, "--no-speed", "--json")
    assert result.exit_code == 1
    content = json.loads(result.stdout)
    assert next(iter(content)) == "format"
    assert content.pop("format") == "trm-edge.regress/1"
    record = typed_values.build(RegressionResult, content)
    assert (record.bundle, record.target, record.precision) == (str(shifted), "cpu", "int8")
    assert record.baseline == str(baseline)
    assert record.verdict == "regressed"
    (check,) = [check for check in record.checks if check.id == "halting.same_step"]
    assert check.unit == "share"
    assert check.before == 1
    assert check.now is not None
    assert check.change is not None
    assert check.change.value == check.now - 1
    assert "::error" in result.stderr


@pytest.fixture
def another_graph(baseline: Path, tmp_path: Path) -> Path:
    """A baseline of a graph with other bytes, whose carries were a little closer to float32."""
    content = json.loads(baseline.read_text())
    content["step_sha256"] = "0" * 64
    content["answers"]["error"] = [0.95 * error for error in content["answers"]["error"]]
    path = tmp_path / "another.json"
    path.write_text(json.dumps(content))
    return path


def test_too_few_puzzles_are_inconclusive_in_every_output(
    toy_bundle: Path, another_graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    junit = tmp_path / "junit.xml"
    output = tmp_path / "regress.json"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    arguments = ("regress", toy_bundle, "--baseline", another_graph, "--no-speed")
    result = run(*arguments, "--junit", junit, "-o", output)
    assert result.exit_code == INCONCLUSIVE, result.output
    sentence = "8 puzzles cannot show a drop of 0.5 points, about 1,000 puzzles would do"
    assert sentence in result.stdout
    assert "nothing regressed, inconclusive: exact_match.fixed" in result.stdout
    assert "::error" not in result.stdout
    warnings = [line for line in result.stdout.splitlines() if line.startswith("::warning")]
    assert any("::exact_match.fixed: inconclusive, " in line for line in warnings)
    assert sentence in summary.read_text()
    suite = ET.parse(junit).getroot()[0]
    assert suite.attrib["failures"] == "0"
    messages = [skipped.attrib["message"] for skipped in suite.iter("skipped")]
    assert len(messages) == int(suite.attrib["skipped"])
    assert any(sentence in message for message in messages)
    content = json.loads(output.read_text())
    assert content["verdict"] == "inconclusive"
    assert content["floor"]["puzzles"] == 8


def test_a_regression_counts_more_than_an_open_question(shifted: Path, another_graph: Path) -> None:
    result = run("regress", shifted, "--baseline", another_graph, "--no-speed", "--json")
    assert result.exit_code == 1
    verdicts = {check["verdict"] for check in json.loads(result.stdout)["checks"]}
    assert {"regressed", "inconclusive"} <= verdicts


def test_the_same_graph_on_another_machine_is_not_inconclusive_for_few_puzzles(
    toy_bundle: Path, baseline: Path, tmp_path: Path
) -> None:
    """The carries differ in their last digits, the step graph does not."""
    content = json.loads(baseline.read_text())
    content["answers"]["error"] = [0.95 * error for error in content["answers"]["error"]]
    path = tmp_path / "elsewhere.json"
    path.write_text(json.dumps(content))
    result = run("regress", toy_bundle, "--baseline", path, "--no-speed")
    assert result.exit_code == 0, result.output
    assert "99.9 %" in result.stdout
    assert "Numerics floor on 8 of the puzzles: float32, 7 slots -0 +0 fixed" in result.stdout


def test_shuffled_labels_are_recognized(toy_bundle: Path, baseline: Path, tmp_path: Path) -> None:
    shuffled = injuries().labels_shuffled(toy_bundle, tmp_path / "b")
    result = run("regress", shuffled, "--baseline", baseline, "--no-speed")
    assert result.exit_code == 1
    words = " ".join(result.stdout.split())
    assert "the puzzles are the same, but their known answers are not" in words


def test_changes_that_no_answer_shows(toy_bundle: Path, baseline: Path, tmp_path: Path) -> None:
    """Doubled scales move the carry at once, whatever they do to eight puzzles."""
    changed = injuries().injured(toy_bundle, tmp_path / "b", injuries().scale_doubled)
    result = run("regress", changed, "--baseline", baseline, "--no-speed", "--json")
    assert "carry.error" in red(result.stdout)


def test_budgets_decide(shifted: Path, baseline: Path, tmp_path: Path) -> None:
    config = tmp_path / "budgets.toml"
    config.write_text("[regress]\nhalting_agreement = 0\nmax_drop = 100\nsteps = 1000\n")
    arguments = ("regress", shifted, "--baseline", baseline, "--no-speed")
    assert run(*arguments).exit_code == 1
    assert run(*arguments, "--config", config).exit_code == 0
    config.write_text("[regress]\nspeed = 1\n")
    message = "unknown speed in regress; the keys are max_drop"
    failed(run(*arguments, "--config", config), message, code=NO_VERDICT)


def test_speed_is_measured_and_kept(toy_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    repeats = ("--repeats", 3)
    assert run("regress", toy_bundle, "--baseline", path, "--update", *repeats).exit_code == 0
    speed = Measurement.read(path).speeds[0]
    assert set(speed.times) == {"1", "8"}
    assert set(speed.times["1"]) == {"step", "matmul", "float32_step"}
    assert speed.memory_bytes > 0
    result = run("regress", toy_bundle, "--baseline", path, *repeats, "--json")
    ids = {check["id"] for check in json.loads(result.stdout)["checks"]}
    assert {"latency.slots_1", "latency.slots_8", "memory.peak", "startup.cpu_time"} <= ids
    # An update keeps the figures of other machines, and replaces this one's.
    assert run("regress", toy_bundle, "--baseline", path, "--update", *repeats).exit_code == 0
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
        "export with a wider type (--fp16, or --fp32 for a CPU)",
    )
    assert not path.exists()


def test_help_lists_the_exit_codes() -> None:
    text = run("regress", "--help").stdout
    assert "4    inconclusive: nothing regressed beyond chance" in text


def test_a_missing_or_damaged_baseline_is_no_verdict_and_github_is_told(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed(run("regress", toy_bundle), "Missing option '--baseline'", code=2)
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    path = tmp_path / "absent.json"
    junit = tmp_path / "junit.xml"
    result = run("regress", toy_bundle, "--baseline", path, "--junit", junit)
    failed(result, "Error: there is no baseline at", "--update", code=NO_VERDICT)
    title = f"trm-edge regress {toy_bundle}%3A no verdict"
    assert f"::error title={title}::there is no baseline at" in result.stdout
    assert "no verdict\n\n    there is no baseline at" in summary.read_text()
    assert not junit.exists()
    path.write_text("{")
    arguments = ("regress", toy_bundle, "--baseline", path, "--json")
    result = run(*arguments)
    failed(result, "is not a baseline of trm-edge regress", code=NO_VERDICT)
    assert result.stdout == ""
    assert "::error" in result.stderr


def test_a_damaged_bundle_and_a_crash_are_no_verdict(
    toy_bundle_copy: Path, baseline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by accident")

    monkeypatch.setattr(regression_run, "measure", crash)
    arguments = ("regress", toy_bundle_copy, "--baseline", baseline, "--no-speed")
    result = run(*arguments)
    assert result.exit_code == NO_VERDICT
    assert "ZeroDivisionError: by accident" in result.stderr
    (toy_bundle_copy / "cpu" / "step.onnx").write_bytes(b"")
    failed(run(*arguments), "has 0 bytes", code=NO_VERDICT)


def test_a_job_summary_that_cannot_be_written_changes_no_verdict(
    toy_bundle: Path, baseline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "/proc/x")
    result = run("regress", toy_bundle, "--baseline", baseline, "--no-speed")
    assert result.exit_code == 0
    assert "Warning: cannot write the job's summary /proc/x" in result.stderr


def test_a_baseline_of_another_target(toy_bundle: Path, baseline: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text(baseline.read_text().replace('"target": "cpu"', '"target": "l4"'))
    message = "is a baseline of the target l4, not of cpu"
    arguments = ("regress", toy_bundle, "--baseline", other, "--target", "cpu")
    failed(run(*arguments), message, code=NO_VERDICT)
    # It is not replaced either: an update of one target leaves another's baseline alone.
    failed(run(*arguments, "--update"), message)
    # Without --target it is the baseline's.
    result = run("regress", toy_bundle, "--baseline", other)
    failed(result, "has no target 'l4'; it has cpu", code=NO_VERDICT)


@pytest.mark.parametrize("option", ["--junit", "-o", "--update"])
def test_an_output_that_cannot_be_written_is_refused_before_anything_is_measured(
    toy_bundle: Path, baseline: Path, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the bundle was measured")

    monkeypatch.setattr(regression_run, "measure", refuse)
    arguments: tuple[object, ...] = ("--baseline", baseline, option, "/proc/x")
    if option == "--update":
        arguments = ("--baseline", "/proc/x", option)
    failed(run("regress", toy_bundle, "--no-speed", *arguments), "cannot write /proc/x: ")


def test_an_update_replaces_baselines_only(toy_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    update = ("regress", toy_bundle, "--baseline", path, "--update", "--no-speed")
    for text in ("my notes", "{", '{"format": "trm-edge.regress/1"}'):
        path.write_text(text)
        failed(run(*update), "is not a baseline", "It is not replaced. Pass --force")
        assert "write it again with --update" not in run(*update).output
        assert path.read_text() == text
    assert run(*update, "--force").exit_code == 0
    assert Measurement.read(path).target == "cpu"
    path.write_text("")  # nothing is lost
    assert run(*update).exit_code == 0


def test_an_update_shows_before_and_after(
    toy_bundle: Path,
    shifted: Path,
    baseline: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "b.json"
    summary = tmp_path / "summary.md"
    result = run("regress", toy_bundle, "--baseline", path, "--update", "--no-speed")
    assert re.search(r"exact_match\.fixed +\d+\.\d %", result.stdout)
    assert "nothing is worse by more than its budget" in result.stdout
    # The halting head of another bundle: what an update accepts is named.
    manifest = json.loads((shifted / "manifest.json").read_text())
    manifest["limits"] = {"max_drop": 100, "min_halting_agreement": 0}
    (shifted / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    result = run("regress", shifted, "--baseline", path, "--update", "--no-speed")
    assert result.exit_code == 0, result.output
    assert re.search(r"halting\.same_step +(REGRESSED )?.*100\.0 % +\d+\.\d %", result.stdout)
    assert "REGRESSED" in result.stdout
    accepted = "worse by more than its budget, and the baseline from now on: "
    assert accepted in result.stdout
    assert accepted in summary.read_text()
    # Other known answers: the figures stand side by side.
    shuffled = injuries().labels_shuffled(toy_bundle, tmp_path / "shuffled")
    shutil.copy(baseline, path)
    result = run("regress", shuffled, "--baseline", path, "--update", "--no-speed")
    assert result.exit_code == 0, result.output
    assert "The puzzles or their known answers are others" in result.stdout


def test_other_files_are_not_overwritten(toy_bundle: Path, baseline: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    arguments = ("regress", toy_bundle, "--baseline", baseline, "--no-speed")
    for option in ("--junit", "-o"):
        notes.write_text("my notes")
        result = run(*arguments, option, notes)
        failed(result, "so it is not overwritten", "--force")
        assert notes.read_text() == "my notes"
        assert run(*arguments, option, notes, "--force").exit_code == 0
        assert run(*arguments, option, notes).exit_code == 0
    # A baseline is a record of trm-edge, too, but not a result.
    failed(run(*arguments, "-o", baseline), "is not a result of trm-edge")
    assert Measurement.read(baseline).target == "cpu"


def test_too_few_puzzles_are_told_of_before_anything_is_solved(
    toy_bundle: Path, baseline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BackendError("stopped")

    monkeypatch.setattr(regression_run, "measure", refuse)
    result = run("regress", toy_bundle, "--baseline", baseline)
    assert "8 held-out puzzles cannot show a drop of 0.5 points" in result.stderr
    assert result.stderr.index("cannot show") < result.stderr.index("stopped")
