"""Every command as a user calls it: text, files and exit code."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from tests.conftest import GOLDEN
from tests.toys import BASE, VARIANTS, write_run
from trm_edge.bundle import Bundle
from trm_edge.cli.main import COMMANDS, cli
from trm_edge.files import hash_file

LINE = " ".join("1" for _ in range(BASE.seq_len))


def run(*arguments: object, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in arguments], input=stdin, prog_name="trm-edge")


def failed(result: Result, *texts: str, code: int = 1) -> None:
    assert result.exit_code == code, result.output
    for text in texts:
        assert text in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert f"trm-edge {name}" in result.stdout


def test_group_help_lists_every_command() -> None:
    result = run("--help")
    assert result.exit_code == 0
    for name in COMMANDS:
        assert f"  {name} " in result.stdout


def test_version() -> None:
    assert run("--version").stdout.startswith("trm-edge, version 0.")


def test_unknown_command_is_misuse() -> None:
    failed(run("expot"), "No such command 'expot'", code=2)


# --- export ------------------------------------------------------------------------------------


def test_export_and_solve_a_strangers_checkpoint(tmp_path: Path, toy_dataset: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    result = run(
        "export",
        path,
        "--int8",
        "--dataset",
        _with_metadata(toy_dataset, path),
        "-o",
        tmp_path / "b",
    )
    assert result.exit_code == 0, result.output
    assert "task tokens" in result.stderr
    assert "step graph equals PyTorch over 4 steps" in result.stderr
    assert "cpu: int8, cpu/step.onnx" in result.stdout
    result = run("solve", tmp_path / "b", "-", "--format", "json", stdin=f"{LINE}\n2:{LINE}\n")
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["index"] for line in lines] == [0, 1]
    assert set(lines[0]) == {"index", "puzzle", "answer", "valid", "steps", "q_halt"}
    assert lines[0]["valid"] is None


def _with_metadata(dataset: Path, checkpoint: Path) -> Path:
    metadata = dataset / "train" / "dataset.json"
    metadata.write_text((checkpoint.parent / "dataset.json").read_text())
    return dataset


@pytest.mark.parametrize("precision", ["fp32", "fp16", "fp8"])
def test_every_precision_and_its_note(precision: str, tmp_path: Path, toy_dataset: Path) -> None:
    path = write_run(tmp_path / "run", VARIANTS["attention-rope"])
    result = run(
        "export",
        path,
        f"--{precision}",
        "--calibration",
        toy_dataset / "train",
        "-o",
        tmp_path / "b",
    )
    assert result.exit_code == 0, result.output
    noted = "for correctness, not for speed" in result.stderr
    assert noted == (precision != "fp32")
    assert Bundle.open(tmp_path / "b").target()[1].precision == precision


def test_golden_checkpoint_in_float32(tmp_path: Path) -> None:
    result = run(
        "export", GOLDEN / "sudoku_att", "--fp32", "--task", "tokens", "-o", tmp_path / "g"
    )
    assert result.exit_code == 0, result.output
    bundle = Bundle.open(tmp_path / "g")
    assert bundle.manifest.limits.max_drop == 0.5
    assert bundle.calibration() is None


def test_exactly_one_precision() -> None:
    failed(run("export"), "exactly one of --int8, --fp8, --int4, --fp16, --fp32; got none", code=2)
    failed(run("export", "--int8", "--fp8"), "got --int8 and --fp8", code=2)
    failed(run("export", "--fp8", "--weight-only"), "goes with --int8 or --int4", code=2)


def test_options_of_quantization_need_a_quantized_precision() -> None:
    failed(
        run("export", "--fp16", "--max-drop", "1", "--qat", "5"),
        "--max-drop, --qat goes with a quantized precision; got --fp16",
        code=2,
    )
    failed(
        run("export", "--int8", "--qat", "5", "--calibration-cache", "c.json"),
        "need a calibration of their own",
        code=2,
    )


def test_export_refuses_to_overwrite_before_it_works(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "file").write_text("")
    failed(run("export", "--int8", "-o", tmp_path / "b"), "exists already. Pass --force")
    failed(
        run("export", "--int8", "-o", tmp_path / "b", "--force"), "is no bundle, so --force does"
    )


def test_unknown_target_suggests_one() -> None:
    failed(run("export", "--int8", "--target", "cpi"), "no target 'cpi'", "Did you mean cpu?")


def test_int8_without_puzzles(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    failed(
        run("export", path, "--int8", "-o", tmp_path / "b"),
        "calibration needs puzzles, and none are shipped for the task tokens",
    )
    assert not (tmp_path / "b").exists()


def test_raw_weights_are_warned_about(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    config = tmp_path / "run" / "all_config.yaml"
    config.write_text(config.read_text().replace("ema: true", "ema: false"))
    result = run("export", path, "--fp32", "-o", tmp_path / "b")
    assert result.exit_code == 0
    assert "ema: false, so these weights are not averaged" in result.stderr


def test_a_checkpoint_that_is_none(tmp_path: Path) -> None:
    failed(run("export", tmp_path / "absent", "--fp32", "-o", tmp_path / "b"), "no checkpoint at")
    path = write_run(tmp_path / "run", BASE)
    torch.save({"weights": torch.zeros(1)}, path)
    failed(run("export", path, "--fp32", "-o", tmp_path / "b"), "is no Tiny Recursive Model")


def test_a_wrong_task(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    failed(
        run("export", path, "--fp32", "--task", "sudoku", "-o", tmp_path / "b"),
        "the task sudoku has 81 cells",
    )
    failed(
        run("export", path, "--fp32", "--task", "chess", "-o", tmp_path / "b"), "no task 'chess'"
    )


def test_a_drop_that_is_no_number_of_points() -> None:
    failed(run("export", "--int8", "--max-drop", "200"), "200.0 is not in the range", code=2)


def test_a_killed_export_leaves_nothing(tmp_path: Path) -> None:
    output = tmp_path / "b"
    with subprocess.Popen(
        [sys.executable, "-m", "trm_edge", "export", "--int8", "-o", str(output)],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "step graph equals PyTorch" in line:
                break
        process.kill()
    assert process.returncode == -9
    assert not output.exists()
    assert [entry.name[0] for entry in tmp_path.iterdir()] == ["."]


# --- solve -------------------------------------------------------------------------------------


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
        found: int = json.loads(result.stdout)["steps"]
        return found

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
    failed(run("solve", toy_bundle, "-", stdin="\n"), "- holds no puzzle")
    failed(run("solve", toy_bundle, tmp_path / "absent"), "cannot read puzzles from")
    failed(run("solve", toy_bundle), "Pass PUZZLES: none come along", code=2)


def test_solve_misused(toy_bundle: Path, tmp_path: Path) -> None:
    failed(run("solve"), "Missing argument 'BUNDLE'", code=2)
    failed(run("solve", toy_bundle, "-", "--batch", 0), "0 is not in the range", code=2)
    failed(run("solve", toy_bundle, "-", "--format", "xml"), "'xml' is not one of", code=2)
    failed(run("solve", tmp_path, "-"), "is no bundle")
    failed(run("solve", toy_bundle, "-", "--target", "h100"), "has no target 'h100'")
    failed(
        run("solve", toy_bundle, "-", "--min-steps", 9, stdin=LINE),
        "1 <= min_steps <= max_steps, but got min_steps 9 and max_steps 4",
    )


# --- parity, inspect, doctor -------------------------------------------------------------------


def test_parity_as_text_and_json(toy_bundle: Path) -> None:
    result = run("parity", toy_bundle)
    assert result.exit_code == 0, result.output
    assert "within its limits" in result.stdout
    report = json.loads(run("parity", toy_bundle, "--json").stdout)
    assert report["puzzles"] == 8
    assert report["broken"] == []
    assert [mode["mode"] for mode in report["modes"]] == ["fixed", "adaptive"]


def test_parity_fails_where_a_limit_is_broken(toy_bundle: Path, tmp_path: Path) -> None:
    """The recorded halting steps are turned round, so that hardly any puzzle agrees."""
    copy = tmp_path / "strict"
    subprocess.run(["cp", "-r", str(toy_bundle), str(copy)], check=True)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["limits"] = {"max_drop": 0, "min_halting_agreement": 1}
    vectors = Bundle.open(copy).parity()
    turned = replace(vectors, halting_steps=5 - vectors.halting_steps)  # 1..4 to 4..1
    turned.save(copy / "parity.npz")
    manifest["files"]["parity.npz"] = {
        "sha256": hash_file(copy / "parity.npz"),
        "size": (copy / "parity.npz").stat().st_size,
    }
    (copy / "manifest.json").write_text(json.dumps(manifest))
    result = run("parity", copy)
    assert result.exit_code == 1
    assert "outside its limits" in result.stdout
    assert "of the puzzles stop at the same step, at least 100.0 % must" in result.stdout
    assert run("parity", copy, "--json").exit_code == 1


def test_inspect(toy_bundle: Path) -> None:
    result = run("inspect", toy_bundle)
    assert result.exit_code == 0, result.output
    for text in ("H 2 x (L 2 + 1) = 6 passes", "adaptive, q_halt > 0", "lm_head, q_head"):
        assert text in result.stdout
    manifest = json.loads(run("inspect", toy_bundle, "--json").stdout)
    assert manifest["format"] == "trm-edge.bundle/1"


def test_a_reader_that_leaves_early(toy_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "puzzles.txt"
    path.write_text(f"{LINE}\n" * 2000)
    command = f"{sys.executable} -m trm_edge solve {toy_bundle} {path} --format json | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["index"] == 0
    assert "Traceback" not in done.stderr
