"""``trm-edge score``."""

from __future__ import annotations

from pathlib import Path

from tests.arc.tasks import write_json
from tests.cli.commands import failed, run


def test_both_scores(tmp_path: Path) -> None:
    right = {"attempt_1": [[1]], "attempt_2": [[1]]}
    submission = write_json(tmp_path / "s.json", {"a": [right], "b": [right, right, right]})
    solutions = write_json(tmp_path / "o.json", {"a": [[[2]]], "b": [[[1]], [[1]], [[1]]]})
    result = run("score", submission, solutions)
    assert result.exit_code == 0
    assert "2 tasks, 4 test outputs" in result.stdout
    line = next(line for line in result.stdout.splitlines() if line.startswith("pass@2"))
    assert line.split() == ["pass@2", "50.00", "%", "75.00", "%", "50.00", "%"]


def test_missing_tasks_are_named(tmp_path: Path) -> None:
    right = {"attempt_1": [[1]], "attempt_2": [[1]]}
    submission = write_json(tmp_path / "s.json", {"a": [right]})
    solutions = write_json(tmp_path / "o.json", {"a": [[[1]]], "b": [[[1]]]})
    result = run("score", submission, solutions)
    failed(result, f"Not scored: {submission}: task b: it is missing, so it counts as not solved.")
    assert "50.00 %" in result.stdout


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    solutions = write_json(tmp_path / "o.json", {"a": [[[1]]]})
    failed(run("score", tmp_path / "s.json", solutions), "s.json does not exist")
    text = tmp_path / "s.json"
    text.write_text("no JSON")
    failed(run("score", text, solutions), "s.json holds no tasks: it is")
