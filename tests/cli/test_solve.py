"""``trm-edge solve`` as a user calls it."""

from __future__ import annotations

import csv
import gzip
import json
import random
import re
import subprocess
import sys
import threading
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import LINE, failed, run
from tests.replaced import replace_bundle
from tests.toys import BASE
from trm_edge.bundle import Bundle
from trm_edge.cli.answers import SOLUTION_FORMAT, SolutionRecord
from trm_edge.cli.solve_input import open_puzzles


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
    failed(run("solve", toy_bundle, "-", stdin="\n"), "standard input does not hold a puzzle")
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
        code=2,
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


def test_a_bad_line_is_an_object_in_its_place(toy_bundle: Path) -> None:
    text = f"x\n{LINE}\n1 2\n3\n{LINE}\ny\n"
    result = run("solve", toy_bundle, "-", "--format", "json", stdin=text)
    assert result.exit_code == 1
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["line"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert ["error" in line for line in lines] == [True, False, True, True, False, True]


def test_a_wrong_file_is_ten_complaints_and_a_count(toy_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "wrong.txt"
    path.write_text("nothing\n" * 5000)
    result = run("solve", toy_bundle, path)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 11
    assert "5,000 were skipped in all; the first 10 are shown" in result.stderr


def test_a_source_that_fails_loses_no_puzzle_before(toy_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.txt.gz"
    rng = random.Random(0)
    text = "".join(f"{LINE}\n# {rng.random()}\n" for _ in range(2000))
    path.write_bytes(gzip.compress(text.encode())[:-2000])
    result = run("solve", toy_bundle, path, "--format", "json")
    assert result.exit_code == 1
    assert "is a damaged gzip file" in result.stderr
    assert len(result.stdout.splitlines()) > 100


def test_answers_that_are_known_are_counted(old_bundles: Path, tmp_path: Path) -> None:
    bundle = Bundle.open(old_bundles / "toy-fp32")
    task = bundle.task()
    tokens = bundle.parity().tokens[0]
    with bundle.solver(batch=1) as solver:
        answer = task.text(solver.solve_one(tokens).answer)
    path = tmp_path / "known.csv"
    known = "".join(c if c != "." else "1" for c in answer)
    path.write_text(f"puzzle,solution\n{'.' * 81},{known}\n")
    result = run("solve", bundle.path, path, "--format", "csv")
    assert result.exit_code == 0, result.output
    assert re.search(
        r"exact match: [01] of 1 known answers, .* % \(95 % interval \d+\.\d to", result.stderr
    )


@pytest.mark.parametrize("options", [[], ["--batch", 1], ["--rollouts", 2, "--batch", 5]])
def test_a_program_that_waits_for_each_answer(options: list[object], old_bundles: Path) -> None:
    """The timeout only guards against a hang."""
    command = [sys.executable, "-m", "trm_edge", "solve", str(old_bundles / "toy-fp32"), "-"]
    command += ["--format", "json", *map(str, options)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        guard = threading.Timer(240, process.kill)
        guard.start()
        try:
            for index in range(4):
                process.stdin.write("." * (80 - index) + "1" + "." * index + "\n")
                process.stdin.flush()
                assert json.loads(process.stdout.readline())["index"] == index
            process.stdin.write("not a puzzle\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["line"] == 5
            process.stdin.close()
            assert process.stdout.read() == ""
            assert process.wait() == 1
        finally:
            guard.cancel()


def solve_in_a_shell(bundle: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script in which $SOLVE is the command."""
    solve = f"{sys.executable} -m trm_edge solve {bundle} --format json"
    return subprocess.run(
        ["sh", "-c", script.replace("$SOLVE", solve)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=240,
    )


@pytest.mark.parametrize("script", ["cat FILE | $SOLVE", "$SOLVE < FILE", "cat FILE | $SOLVE -"])
def test_a_pipe_and_a_redirected_file_are_read(
    script: str, toy_bundle: Path, tmp_path: Path
) -> None:
    path = tmp_path / "puzzles.txt"
    path.write_text(f"{LINE}\n" * 3)
    done = solve_in_a_shell(toy_bundle, script.replace("FILE", str(path)))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3


@pytest.mark.parametrize("script", ["$SOLVE", "$SOLVE <&-", ": | $SOLVE"])
def test_without_input_the_examples_are_meant(script: str, toy_bundle: Path) -> None:
    done = solve_in_a_shell(toy_bundle, script)
    assert done.returncode == 2  # there are none for this task
    assert "Pass PUZZLES: none are bundled" in done.stderr


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("$SOLVE - <&-", "standard input is closed"),
        ("echo LINE | $SOLVE >&-", "standard output is closed"),
        ("echo LINE | $SOLVE > /dev/full", "the output cannot be written: No space left"),
        ("head -c 300000000 /dev/zero | $SOLVE", "a line of more than 268,435,456 characters"),
    ],
)
def test_streams_that_fail_are_sentences(script: str, message: str, toy_bundle: Path) -> None:
    done = solve_in_a_shell(toy_bundle, script.replace("LINE", f"'{LINE}'"))
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_csv_has_the_same_columns(toy_bundle: Path) -> None:
    result = run("solve", toy_bundle, "-", "--format", "csv", stdin=LINE)
    assert result.stdout.splitlines()[0] == ",".join(SolutionRecord.__dataclass_fields__)


def test_rollouts_need_augmentations(toy_bundle: Path) -> None:
    failed(
        run("solve", toy_bundle, "-", "--rollouts", 2, stdin=LINE),
        "the task tokens has no augmentations, but 2 tries need them",
        code=2,
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


@pytest.mark.parametrize("task", [None, "sudoku"])
def test_a_bundle_that_is_replaced_before_it_is_loaded(
    task: str | None, toy_bundle_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replace_first(*arguments: Any) -> Any:
        replace_bundle(toy_bundle_copy, "other", task=task)
        return open_puzzles(*arguments)

    monkeypatch.setattr("trm_edge.cli.solve.open_puzzles", replace_first)
    result = run("solve", toy_bundle_copy, "-", "--format", "json", stdin=LINE)
    if task is None:
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["puzzle"] == LINE
    else:  # the puzzles were read for another task
        failed(result, "was changed after the bundle was opened")
