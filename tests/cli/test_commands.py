"""Every command as a user calls it: text, files and exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from tests.conftest import GOLDEN
from tests.toys import BASE, VARIANTS, write_run
from trm_edge.bundle import Bundle
from trm_edge.cli.main import cli

LINE = " ".join("1" for _ in range(BASE.seq_len))


def run(*arguments: object, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in arguments], input=stdin, prog_name="trm-edge")


def failed(result: Result, *texts: str, code: int = 1) -> None:
    assert result.exit_code == code, result.output
    for text in texts:
        assert text in result.stderr
    assert "Traceback" not in result.output


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
    assert set(lines[0]) == {"format", "index", "puzzle", "answer", "valid", "steps", "q_halt"}
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
        run("export", "--int8", "-o", tmp_path / "b", "--force"), "is not a bundle, so --force does"
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


# --- doctor -------------------------------------------------------------------


def test_doctor() -> None:
    result = run("doctor")
    assert result.exit_code == 0, result.output
    assert "solve on the CPU" in result.stdout
    findings = json.loads(run("doctor", "--json").stdout)
    assert findings["abilities"]["export"][0] is True
