"""``trm-edge solve -o NAME.parquet`` as a user calls it."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.batch.runs import puzzle_texts, read_folder, write_input
from tests.cli.commands import failed, run
from tests.replaced import replace_bundle
from trm_edge.batch.output_folder import RUN_NAME, OutputFolder
from trm_edge.batch.pieces import Pieces
from trm_edge.reference import reference_puzzles
from trm_edge.schemas import load_schema


@pytest.fixture
def bundle(old_bundles: Path, tmp_path: Path) -> Path:
    """A toy Sudoku model that a test may change."""
    return Path(shutil.copytree(old_bundles / "toy-fp32", tmp_path / "bundle"))


@pytest.fixture
def puzzles(tmp_path: Path) -> Path:
    return write_input(tmp_path / "in.parquet", puzzle_texts(20))


def printed(bundle: Path, source: Path, *options: object) -> list[dict[str, Any]]:
    """What plain ``solve`` says about the same puzzles; bad lines have no index."""
    result = run("solve", bundle, source, "--format", "json", *options)
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("options", [[], ["--rollouts", 3, "--only-valid"], ["--halt", "fixed"]])
def test_answers_are_those_of_plain_solve(
    bundle: Path, tmp_path: Path, options: list[object]
) -> None:
    examples = reference_puzzles("sudoku", "examples", 81)
    assert examples is not None
    source = tmp_path / "in.csv"
    rows = examples.read_text().splitlines()
    source.write_text("\n".join([*rows[:3], "1,2", *rows[3:]]) + "\n")
    expected = printed(bundle, source, *options)
    result = run("solve", bundle, source, "-o", tmp_path / "out.parquet", *options)
    assert result.exit_code == 1, result.output
    answers = read_folder(tmp_path / "out.parquet").to_pylist()
    assert len(answers) == len(expected)
    names = ["answer", "valid", "correct", "steps", "halted", "q_halt", "confidence"]
    for answer, line in zip(answers, expected, strict=True):
        if "error" in line:
            assert answer["error"] == f"line {line['line']}: {line['error']}"
            continue
        for name in (*names, "outcome", "tries", "timed_out"):
            assert answer[name] == line[name], name


def test_every_kind_of_input_gives_the_same_answers(bundle: Path, tmp_path: Path) -> None:
    texts = puzzle_texts(12)
    tokens = np.array([[1 if cell == "." else int(cell) + 1 for cell in text] for text in texts])
    write_input(tmp_path / "in.parquet", texts, with_ids=False)
    (tmp_path / "in.csv").write_text("question\n" + "\n".join(texts))
    (tmp_path / "in.txt").write_text("\n".join(texts))
    (tmp_path / "in.jsonl").write_text("\n".join(json.dumps({"puzzle": text}) for text in texts))
    (tmp_path / "data" / "test").mkdir(parents=True)
    np.save(tmp_path / "data" / "test" / "all__inputs.npy", tokens.astype(np.uint8))
    (tmp_path / "folder").mkdir()
    write_input(tmp_path / "folder" / "a.parquet", texts[:5], with_ids=False)
    write_input(tmp_path / "folder" / "b.parquet", texts[5:], with_ids=False)
    expected = None
    for name in ("in.parquet", "in.csv", "in.txt", "in.jsonl", "data", "folder"):
        output = tmp_path / f"{name}.out.parquet"
        result = run("solve", bundle, tmp_path / name, "-o", output)
        assert result.exit_code == 0, result.output
        answers = read_folder(output)
        expected = expected or answers
        assert answers.equals(expected), name
    result = run(
        "solve", bundle, "-", "-o", tmp_path / "piped.parquet", stdin="\n".join([*texts, ""])
    )
    assert result.exit_code == 0, result.output
    assert read_folder(tmp_path / "piped.parquet").equals(expected)
    assert not list((tmp_path / "piped.parquet").glob(".input*"))


def test_a_run_goes_on_and_says_what_it_did(bundle: Path, puzzles: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.parquet"
    result = run("solve", bundle, puzzles, "-o", output)
    assert result.exit_code == 0, result.output
    assert "20 rows, 20 solved, 0 valid (0.00 %), 0 failed." in result.stdout
    assert "This time: 20 rows in" in result.stdout
    result = run("solve", bundle, puzzles, "-o", output)
    assert "Nothing was left to solve." in result.stdout
    record = OutputFolder(output).fingerprint()
    assert record is not None
    assert record.target == "cpu"
    assert record.halting.startswith("adaptive")


def test_failed_rows_are_named_and_retried(bundle: Path, tmp_path: Path) -> None:
    source = write_input(tmp_path / "in.parquet", [*puzzle_texts(3), "no puzzle"])
    output = tmp_path / "out.parquet"
    result = run("solve", bundle, source, "-o", output)
    failed(result, "1 failed", "1 rows have failed", "--retry-failed solves them again")
    result = run("solve", bundle, source, "-o", output, "--retry-failed")
    failed(result, "This time: 1 rows in")
    assert "--retry-failed solves" not in result.output


def test_another_bundle_halting_or_input_is_refused(
    bundle: Path, puzzles: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.parquet"
    assert run("solve", bundle, puzzles, "-o", output).exit_code == 0
    before = read_folder(output)
    result = run("solve", bundle, puzzles, "-o", output, "--halt", "fixed", "--answer-if", 0.5)
    failed(result, "the halting rule was adaptive", "--answer-if was 0.0 and is 0.5")
    replace_bundle(bundle, "another")
    failed(run("solve", bundle, puzzles, "-o", output), "the bundle (sha256 of its manifest) was")
    write_input(puzzles, puzzle_texts(20, seed=1))
    failed(run("solve", bundle, puzzles, "-o", output), "the input (sha256) was")
    assert read_folder(output).equals(before)


def test_options_that_do_not_work_begin_no_run(bundle: Path, puzzles: Path, tmp_path: Path) -> None:
    """What the message advises has to work in the same folder."""
    command = ["solve", bundle, puzzles, "-o", tmp_path / "out.parquet"]
    settled = [*command, "--rollouts", 2, "--explore", "noise", "--select", "settled"]
    failed(run(*settled), "Choose fixed halting (--halt fixed)")
    assert not (tmp_path / "out.parquet").exists()
    assert run(*settled, "--halt", "fixed").exit_code == 0
    assert len(read_folder(tmp_path / "out.parquet")) == 20


def test_a_run_that_solved_nothing_gives_way_to_other_options(
    bundle: Path, puzzles: Path, tmp_path: Path
) -> None:
    command = ["solve", bundle, puzzles, "-o", tmp_path / "out.parquet"]
    assert run(*command).exit_code == 0
    for part in OutputFolder(tmp_path / "out.parquet").parts():
        part.unlink()
    assert run(*command, "--max-steps", 1).exit_code == 0
    failed(run(*command), "the halting rule was ", "at most 1 step and is ")


def test_options_that_change_nothing_go_on(bundle: Path, puzzles: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.parquet"
    options: list[object] = ["--rollouts", 2]
    assert run("solve", bundle, puzzles, "-o", output, *options).exit_code == 0
    options += ["--explore", "forms", "--select", "valid", "--batch", 4, "--threads", 1]
    result = run("solve", bundle, puzzles, "-o", output, *options)
    assert "Nothing was left to solve." in result.stdout, result.output


def test_a_repeated_id_is_refused_before_anything_is_written(bundle: Path, tmp_path: Path) -> None:
    texts = puzzle_texts(3)
    source = tmp_path / "in.csv"
    out = StringIO()
    rows = csv.writer(out)
    rows.writerows([["id", "puzzle"], ["a", texts[0]], ["b", texts[1]], ["a", texts[2]]])
    source.write_text(out.getvalue())
    result = run("solve", bundle, source, "-o", tmp_path / "out.parquet")
    failed(result, "has the id a in rows 0 and 2")
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("grid,level\nx,1\n", "has no column of puzzles: its columns are grid, level"),
        ("", "does not hold a puzzle"),
        ("puzzle,id\n", "does not hold a puzzle"),
    ],
)
def test_an_input_without_puzzles_is_refused(
    bundle: Path, tmp_path: Path, content: str, message: str
) -> None:
    source = tmp_path / "in.csv"
    source.write_text(content)
    failed(run("solve", bundle, source, "-o", tmp_path / "out.parquet"), message)
    assert not (tmp_path / "out.parquet").exists()


def test_a_missing_input_is_refused(bundle: Path, tmp_path: Path) -> None:
    result = run("solve", bundle, tmp_path / "none.parquet", "-o", tmp_path / "out.parquet")
    failed(result, "No such file or directory")


def test_without_puzzles_the_bundled_ones_are_solved(bundle: Path, tmp_path: Path) -> None:
    result = run("solve", bundle, "-o", tmp_path / "out.parquet", stdin="")
    assert result.exit_code == 0, result.output
    assert len(read_folder(tmp_path / "out.parquet")) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--watch"], "--watch is for answers that are printed"),
        (["--format", "csv"], "--format is for answers that are printed"),
        (["--minutes", "5"], "--minutes belongs to a run over ARC tasks"),
    ],
)
def test_options_of_other_outputs_are_refused(
    bundle: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    result = run("solve", bundle, "-o", tmp_path / "out.parquet", *options)
    failed(result, message, code=2)


def test_retrying_needs_an_output(bundle: Path, tmp_path: Path) -> None:
    failed(run("solve", bundle, "--retry-failed"), "add -o NAME.parquet", code=2)
    failed(run("solve", bundle, "-o", tmp_path / "run", "--retry-failed"), "NAME.parquet", code=2)


def test_a_missing_package_names_the_extra(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trm_edge.requirements.find_spec", lambda name: None)
    result = run("solve", bundle, "-o", tmp_path / "out.parquet")
    failed(result, "needs the package pyarrow", "trm-edge[parquet]")


def test_an_arc_bundle_is_refused_with_what_to_do(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trm_edge.batch.solve_to_parquet.ArcAgiTask", object)
    result = run("solve", bundle, "-o", tmp_path / "out.parquet")
    failed(result, "whose tasks are solved under augmentations", "does not end in .parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_interrupted_runs_keep_what_was_solved(
    bundle: Path, puzzles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = Pieces.finish

    def interrupted(self: Any, rows: int) -> None:
        finish(self, rows)
        raise KeyboardInterrupt

    texts = puzzle_texts(40)
    write_input(puzzles, texts)
    monkeypatch.setattr(Pieces, "finish", interrupted)
    result = run("solve", bundle, puzzles, "-o", tmp_path / "out.parquet")
    assert result.exit_code != 0
    assert "the same command goes on" in result.stderr
    monkeypatch.undo()
    result = run("solve", bundle, puzzles, "-o", tmp_path / "out.parquet")
    assert result.exit_code == 0, result.output
    assert read_folder(tmp_path / "out.parquet")["row"].to_pylist() == list(range(40))


def test_a_run_that_was_interrupted_before_it_began_promises_nothing(
    bundle: Path, puzzles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("trm_edge.batch.solve_to_parquet.check_ids", interrupted)
    result = run("solve", bundle, puzzles, "-o", tmp_path / "out.parquet")
    assert result.exit_code != 0
    assert "The answers so far" not in result.stderr
    assert not (tmp_path / "out.parquet").exists()


def test_the_record_fits_its_schema(bundle: Path, puzzles: Path, tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    run("solve", bundle, puzzles, "-o", tmp_path / "out.parquet")
    record = json.loads((tmp_path / "out.parquet" / RUN_NAME).read_text())
    jsonschema.validate(record, load_schema("solve-run"), jsonschema.Draft202012Validator)


def test_pyarrow_is_imported_by_runs_alone() -> None:
    script = "import sys, trm_edge.cli.solve; print('pyarrow' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
