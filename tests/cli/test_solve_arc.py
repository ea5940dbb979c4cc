"""``trm-edge solve`` for ARC: answers of test inputs, and runs that write a folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.arc.tasks import TASK, write_json
from tests.arc.toy_bundle import TASKS, write_bundle
from tests.cli.commands import failed, run
from trm_edge.bundle import Bundle
from trm_edge.run_lock import only_process_in
from trm_edge.schemas import load_schema


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with bundle/, dataset/ and tasks.json; do not change it."""
    folder = tmp_path_factory.mktemp("arc-toy")
    write_bundle(folder)
    return folder


@pytest.fixture
def unknown(tmp_path: Path) -> Path:
    """Tasks of which the model knows two."""
    return write_json(tmp_path / "more.json", {"x": TASK, **TASKS, "y": TASK})


def test_the_task_is_detected(toy: Path) -> None:
    assert Bundle.open(toy / "bundle").manifest.task == "arc"


def test_test_inputs_are_drawn(toy: Path) -> None:
    result = run("solve", toy / "bundle", toy / "tasks.json")
    assert result.exit_code == 0, result.output
    for title in ("#1 (a, test input 1)", "#2 (b, test input 1)", "#3 (b, test input 2)"):
        assert title in result.stdout
    assert "4 5" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "\x1b" not in result.stdout


def test_every_source_gives_the_same_answers(toy: Path) -> None:
    lines = []
    for source in ("tasks.json", "dataset"):
        result = run("solve", toy / "bundle", toy / source, "--format", "json")
        assert result.exit_code == 0, result.output
        objects = [json.loads(line) for line in result.stdout.splitlines()]
        lines.append({item["name"]: item["answer"] for item in objects})
        assert [item["valid"] for item in objects] == [None] * 3
        assert {item["correct"] for item in objects} <= {True, False}
    piped = run("solve", toy / "bundle", "-", stdin=(toy / "tasks.json").read_text())
    assert piped.exit_code == 0
    assert lines[0] == lines[1]
    for answer in lines[0].values():
        assert isinstance(json.loads(answer), list)


def test_watch(toy: Path) -> None:
    result = run("solve", toy / "bundle", toy / "tasks.json", "--watch")
    assert result.exit_code == 0
    assert "#1, step 1: confidence" in result.output


def test_tasks_without_a_row_are_named_and_the_others_solved(toy: Path, unknown: Path) -> None:
    result = run("solve", toy / "bundle", unknown, "--format", "json")
    failed(result, "no row for 2 of 4 tasks: x, y. Export a checkpoint", "trm-edge adapt")
    formats = [json.loads(line)["format"] for line in result.stdout.splitlines()]
    assert formats.count("trm-edge.solution/1") == 3
    assert formats.count("trm-edge.bad-line/1") == 2
    assert result.stderr.count("has no row for 2") == 1


def test_no_task_with_a_row(toy: Path, tmp_path: Path) -> None:
    path = write_json(tmp_path / "x.json", {"x": TASK})
    message = "no row for 1 of 1 tasks: x. Export a checkpoint"
    failed(run("solve", toy / "bundle", path), message)
    failed(run("solve", toy / "bundle", path, "-o", tmp_path / "run"), message)
    assert not (tmp_path / "run").exists()


def test_bad_tasks_are_named_and_the_others_solved(toy: Path, tmp_path: Path) -> None:
    ragged = {**TASK, "test": [{"input": [[1], [1, 2]]}]}
    path = write_json(tmp_path / "tasks.json", {"a": TASK, "r": ragged})
    message = "task r: the input of test input 1: row 2 has 2 cells, but row 1 has 1"
    failed(run("solve", toy / "bundle", path), message, "#1 (a, test input 1)")
    result = run("solve", toy / "bundle", path, "-o", tmp_path / "run")
    failed(result, message)
    assert list(json.loads((tmp_path / "run" / "submission.json").read_text())) == ["a"]


def test_a_run_writes_a_submission(toy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    result = run("solve", toy / "bundle", toy / "tasks.json", "-o", folder)
    assert result.exit_code == 0, result.output
    assert "2 tasks, 3 test inputs: 9 of 9 answers, 9 of them in" in result.stdout
    assert "pass@2" in result.stdout
    submission = json.loads((folder / "submission.json").read_text())
    assert {name: len(entries) for name, entries in submission.items()} == {"a": 1, "b": 2}
    # The dataset that the model was trained on numbers its rows in the same way.
    parts = sorted(folder.glob("predictions-*.npz"))
    for dataset in (folder, toy / "dataset"):
        voted = run("vote", dataset, *parts, "-o", tmp_path / "votes", "--force")
        assert voted.exit_code == 0, voted.output
        assert json.loads((tmp_path / "votes" / "submission.json").read_text()) == submission
    again = run("solve", toy / "bundle", toy / "tasks.json", "-o", folder)
    assert again.exit_code == 0
    assert "3 test inputs: 9 of 9 answers\n" in again.stdout


def test_a_run_over_some_variants_leaves_placeholders(
    toy: Path, unknown: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    result = run("solve", toy / "bundle", unknown, "-o", folder, "--augmentations", 1)
    failed(result, "Left out: the bundle has no row for 2 of 4 tasks: x, y", "6 of 6 answers")
    submission = json.loads((folder / "submission.json").read_text())
    assert list(submission) == ["x", "a", "b", "y"]
    assert submission["x"][0]["attempt_1"] == [[0, 0], [0, 0]]


def test_a_run_is_compared_with_its_folder(toy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = ("solve", toy / "bundle", toy / "tasks.json", "-o", folder)
    assert run(*command, "--augmentations", 1).exit_code == 0
    failed(
        run(*command, "--halt", "fixed"),
        "the halting rule was adaptive",
        "--augmentations was 1 and is not set",
        "Pass the same ones to go on with it, or choose another folder",
    )
    path = write_json(tmp_path / "one.json", {"a": TASK})
    other = ("solve", toy / "bundle", path, "-o", folder, "--augmentations", 1)
    failed(run(*other), "tasks or their rows (sha256) was")


@pytest.mark.parametrize("is_begun", [False, True])
def test_a_second_process_is_refused_before_it_loads_an_engine(
    is_begun: bool, toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    command = ("solve", toy / "bundle", toy / "tasks.json", "-o", folder)
    if is_begun:
        assert run(*command).exit_code == 0
    loaded = []
    monkeypatch.setattr(Bundle, "solver", lambda *args, **kwargs: loaded.append(args))
    with only_process_in(folder):
        before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
        result = run(*command)
        failed(result, f"another process is at work in {folder}. Wait for it, or choose another")
        after = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert after == before
    assert not loaded


def test_a_second_process_is_refused_while_the_first_loads_its_engine(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("solve", toy / "bundle", toy / "tasks.json", "-o", tmp_path / "run")
    solver = Bundle.solver
    seconds = []

    def slow_solver(bundle: Bundle, *args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(Bundle, "solver", solver)
        seconds.append(run(*command))
        return solver(bundle, *args, **kwargs)

    monkeypatch.setattr(Bundle, "solver", slow_solver)
    assert run(*command).exit_code == 0
    (second,) = seconds
    failed(second, "another process is at work")


def test_a_run_without_solutions(toy: Path, tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", {**TASK, "test": [{"input": [[4, 5]]}]})
    folder = tmp_path / "run"
    result = run("solve", toy / "bundle", path, "-o", folder, "--minutes", 5)
    assert result.exit_code == 0
    assert "Not scored" in result.stdout
    assert not (folder / "metrics.json").exists()


def test_until_decided(toy: Path, tmp_path: Path) -> None:
    options = ("--until-decided", 0.5, "--decide", "first", "-o", tmp_path / "run")
    result = run("solve", toy / "bundle", toy / "tasks.json", *options)
    assert result.exit_code == 0
    assert "Decided before their last vote: " in result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--minutes", 3], "--minutes belongs to a run that is written: add -o FOLDER"),
        (["-o", "run", "--watch"], "--watch is for answers that are printed"),
        (["-o", "run", "--rollouts", 3], "--rollouts is for answers"),
        (["-o", "run", "--decide", "first"], "--decide says what --until-decided P watches"),
    ],
)
def test_misused(options: list[object], message: str, toy: Path) -> None:
    failed(run("solve", toy / "bundle", toy / "tasks.json", *options), message, code=2)


def test_runs_are_compared_under_voting(toy: Path, tmp_path: Path) -> None:
    command = ("solve", toy / "bundle", toy / "tasks.json", "-o")
    assert run(*command, tmp_path / "fixed", "--halt", "fixed").exit_code == 0
    assert run(*command, tmp_path / "one", "--max-steps", 1).exit_code == 0
    solutions = tmp_path / "one" / "test_puzzles.json"
    score = ("score", tmp_path / "one", solutions, "--against", tmp_path / "fixed")
    result = run(*score, "--max-drop", 0.5)
    assert result.exit_code == 0, result.output
    assert "Single grids, before the votes: 9 in both" in result.stdout
    record = json.loads(run(*score, "--json").stdout)
    schema = load_schema("arc-comparison")
    jsonschema.validate(record, schema, jsonschema.Draft202012Validator)
    right = json.loads((tmp_path / "one" / "submission.json").read_text())
    right["a"][0]["attempt_1"] = [[5, 4]]
    reference = write_json(tmp_path / "right.json", right)
    failed(
        run("score", tmp_path / "one", solutions, "--against", reference, "--max-drop", 0.5),
        "Tasks lost: 1 (a)",
        "50.00 points of the published pass@2 are lost, and at most 0.5 may be",
    )
    failed(run("score", tmp_path / "one", solutions, "--max-drop", 1), "add --against", code=2)
    assert "pass@2" in run("score", tmp_path / "one", solutions).stdout


@pytest.mark.parametrize("name", ["submission", "ranking"])
def test_files_keep_their_schemas(name: str, toy: Path, tmp_path: Path) -> None:
    command = ("solve", toy / "bundle", toy / "tasks.json", "-o", tmp_path / "run")
    assert run(*command, "--grids", 1).exit_code == 0
    content = json.loads((tmp_path / "run" / f"{name}.json").read_text())
    schema = load_schema(f"arc-{name}")
    jsonschema.validate(content, schema, jsonschema.Draft202012Validator)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    jsonschema.validate(record, load_schema("arc-run"), jsonschema.Draft202012Validator)


def test_other_orders_do_not_decide(toy: Path, tmp_path: Path) -> None:
    options = ("-o", tmp_path / "run", "--until-decided", 0.9, "--votes-by", "sum")
    result = run("solve", toy / "bundle", toy / "tasks.json", *options)
    failed(result, "--until-decided counts votes")


def test_rollouts_name_the_way_to_ask_variants(toy: Path) -> None:
    result = run("solve", toy / "bundle", toy / "tasks.json", "--rollouts", 4)
    failed(result, "-o FOLDER --augmentations N", code=2)


def test_other_tasks_write_no_folder(toy_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "puzzles.txt"
    path.write_text("")
    result = run("solve", toy_bundle, path, "-o", tmp_path / "run")
    failed(result, "-o writes a run over ARC tasks, but the task of", "is tokens", code=2)


def test_an_arc_model_that_was_exported_as_tokens(toy: Path, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(toy / "bundle", tmp_path / "bundle"))
    manifest = json.loads((bundle / "manifest.json").read_text())
    write_json(bundle / "manifest.json", {**manifest, "task": "tokens"})
    result = run("solve", bundle, toy / "tasks.json", "-o", tmp_path / "run")
    failed(result, "export it again with --task arc", code=2)


def test_standard_input_cannot_be_a_run(toy: Path, tmp_path: Path) -> None:
    failed(run("solve", toy / "bundle", "-o", tmp_path / "run"), "-o needs PUZZLES", code=2)
