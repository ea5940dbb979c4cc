"""``trm-edge solve`` as a user calls it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from tests.cli.commands import LINE, failed, run
from tests.toys import BASE
from trm_edge.bundle import Bundle
from trm_edge.cli.solve_output import SOLUTION_FORMAT, SolutionRecord


def test_bad_lines_are_reported_and_the_others_solved(toy_bundle: Path) -> None:
    result = run("solve", toy_bundle, "-", "--format", "csv", stdin=f"{LINE}\n1 2 3\n{LINE}\nx\n")
    assert result.exit_code == 1
    assert "line 2: expected 9 token ids, but got 3; skipped" in result.stderr
    assert "line 4: expected token ids separated by spaces; skipped" in result.stderr
    rows = list(csv.DictReader(StringIO(result.stdout)))
    assert [row["index"] for row in rows] == ["0", "1"]
    assert rows[0]["answer"] == rows[1]["answer"]


def test_fixed_runs_every_step_and_limits_hold(toy_bundle: Path) -> None:
    def steps(*options: object) -> int:
        result = run("solve", toy_bundle, "-", "--format", "json", *options, stdin=LINE)
        assert result.exit_code == 0, result.output
        return int(json.loads(result.stdout)["steps"])

    assert steps("--halt", "fixed") == BASE.halt_max_steps
    assert steps("--halt", "fixed", "--max-steps", 2) == 2
    assert steps("--max-steps", 1) == 1


def test_watch_shows_every_step(toy_bundle: Path) -> None:
    result = run("solve", toy_bundle, "-", "--watch", "--halt", "fixed", stdin=LINE)
    assert result.exit_code == 0, result.output
    for step in range(1, BASE.halt_max_steps + 1):
        assert f"#1, step {step}: " in result.stderr
    assert f"#1: {BASE.halt_max_steps} steps" in result.stdout


def test_puzzles_from_a_file_and_a_dataset(
    toy_bundle: Path, toy_dataset: Path, tmp_path: Path
) -> None:
    path = tmp_path / "puzzles.txt"
    path.write_text(f"{LINE}\n")
    for source, count in ((path, 1), (toy_dataset, 8)):
        result = run("solve", toy_bundle, source, "--format", "json")
        assert result.exit_code == 0, result.output
        assert len(result.stdout.splitlines()) == count


def test_nothing_to_solve(toy_bundle: Path, tmp_path: Path) -> None:
    failed(run("solve", toy_bundle, "-", stdin="\n"), "- does not hold a puzzle")
    failed(run("solve", toy_bundle, tmp_path / "absent"), "cannot read puzzles from")
    failed(run("solve", toy_bundle), "Pass PUZZLES: none are bundled", code=2)


def test_solve_misused(toy_bundle: Path, tmp_path: Path) -> None:
    failed(run("solve"), "Missing argument 'BUNDLE'", code=2)
    failed(run("solve", toy_bundle, "-", "--batch", 0), "0 is not in the range", code=2)
    failed(run("solve", toy_bundle, "-", "--format", "xml"), "'xml' is not one of", code=2)
    failed(run("solve", tmp_path, "-"), "is not a bundle")
    failed(run("solve", toy_bundle, "-", "--target", "h100"), "has no target 'h100'")
    failed(
        run("solve", toy_bundle, "-", "--min-steps", 9, stdin=LINE),
        "1 <= min_steps <= max_steps, but got min_steps 9 and max_steps 4",
    )


def test_json_lines_are_records(toy_bundle: Path) -> None:
    result = run("solve", toy_bundle, "-", "--format", "json", stdin=f"{LINE}\n{LINE}\n")
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["index"] for line in lines] == [0, 1]
    for line in lines:
        assert list(line) == ["format", *SolutionRecord.__dataclass_fields__]
        assert line["format"] == str(SOLUTION_FORMAT) == "trm-edge.solution/1"
        assert line["puzzle"] == LINE
        assert line["valid"] is None
        assert isinstance(line["q_halt"], float)


def test_csv_has_the_same_columns(toy_bundle: Path) -> None:
    result = run("solve", toy_bundle, "-", "--format", "csv", stdin=LINE)
    assert result.stdout.splitlines()[0] == ",".join(SolutionRecord.__dataclass_fields__)


def test_rollouts_need_augmentations(toy_bundle: Path) -> None:
    failed(
        run("solve", toy_bundle, "-", "--rollouts", 2, stdin=LINE),
        "the task tokens has no augmentations, but 2 attempts need them",
    )


@pytest.mark.parametrize("rollouts", [1, 3])
def test_sudoku_is_drawn_and_judged(
    rollouts: int, old_bundles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    bundle = Bundle.open(old_bundles / "toy-fp32")
    puzzle = bundle.task().text(bundle.parity().tokens[0])
    result = run("solve", bundle.path, "-", "--rollouts", rollouts, stdin=puzzle)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("┌───────┬───────┬───────┐    ┌───────┬")
    assert "#1: " in result.stdout
    assert ", confidence " in result.stdout
    assert "of 1 solved" in result.stdout


def test_a_reader_that_leaves_early(toy_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "puzzles.txt"
    path.write_text(f"{LINE}\n" * 2000)
    command = f"{sys.executable} -m trm_edge solve {toy_bundle} {path} --format json | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["index"] == 0
    assert "Traceback" not in done.stderr
