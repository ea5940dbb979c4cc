"""`trm-edge export` as a user calls it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import resources
from pathlib import Path

import onnx
import pytest
import torch

from tests.bugs import BUGS, bug_run
from tests.cli.commands import failed, run
from tests.conftest import GOLDEN
from tests.toys import BASE, VARIANTS, write_run
from trm_edge.build import trtexec_line
from trm_edge.bundle import Bundle
from trm_edge.files import hash_file
from trm_edge.reference import reference_checkpoint

LINE = " ".join("1" for _ in range(BASE.seq_len))


def _with_metadata(dataset: Path, checkpoint: Path) -> Path:
    """The dataset's folder, with the dataset.json of the checkpoint's run."""
    metadata = dataset / "train" / "dataset.json"
    metadata.write_text((checkpoint.parent / "dataset.json").read_text())
    return dataset


def _my_board(folder: Path) -> Path:
    """A target profile of the user's own: an L4 under another name."""
    text = (resources.files("trm_edge.targets") / "l4.toml").read_text()
    path = folder / "my-board.toml"
    path.write_text(text.replace("batch = [1, 64, 1024]", "batch = [1, 4, 24]"))
    return path


def test_exports_and_solves_a_checkpoint(tmp_path: Path, toy_dataset: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    dataset = _with_metadata(toy_dataset, path)
    result = run("export", path, "--int8", "--dataset", dataset, "-o", tmp_path / "b")
    assert result.exit_code == 0, result.output
    assert "task tokens" in result.stderr
    assert "step graph equals PyTorch over 4 steps" in result.stderr
    assert re.search(r"^cpu +int8 +cpu/step\.onnx ", result.stdout, re.MULTILINE)
    assert "Against float32, simulated on 8 held-out puzzles:" in result.stdout
    assert re.search(r"^cpu( +\d+\.\d % +[+-]\d+\.\d\d){2} +\d+\.\d %$", result.stdout, re.M)
    result = run("solve", tmp_path / "b", "-", "--format", "json", stdin=f"{LINE}\n2:{LINE}\n")
    assert result.exit_code == 0, result.output
    solutions = [json.loads(line) for line in result.stdout.splitlines()]
    assert [solution["index"] for solution in solutions] == [0, 1]
    assert solutions[0]["valid"] is None


@pytest.mark.parametrize("precision", ["fp16", "fp8"])
def test_precisions_that_are_slow_are_noted(
    precision: str, tmp_path: Path, toy_dataset: Path
) -> None:
    path = write_run(tmp_path / "run", VARIANTS["attention-rope"])
    dataset = _with_metadata(toy_dataset, path)
    result = run("export", path, f"--{precision}", "--dataset", dataset, "-o", tmp_path / "b")
    assert result.exit_code == 0, result.output
    assert "for checking correctness, not for speed" in result.stderr
    assert Bundle.open(tmp_path / "b").target()[1].precision == precision


def test_exports_the_golden_checkpoint_in_float32(tmp_path: Path) -> None:
    output = tmp_path / "g"
    result = run("export", GOLDEN / "sudoku_att", "--fp32", "--task", "tokens", "-o", output)
    assert result.exit_code == 0, result.output
    assert "correctness" not in result.stderr
    bundle = Bundle.open(output)
    assert bundle.manifest.limits.max_drop == 0.5
    assert bundle.calibration() is None


def test_exactly_one_precision_is_required() -> None:
    failed(run("export"), "exactly one of --int8, --fp8, --int4, --fp16, --fp32; got none", code=2)
    failed(run("export", "--int8", "--fp8"), "got --int8 and --fp8", code=2)


def test_weight_only_goes_with_int8_alone() -> None:
    failed(run("export", "--fp8", "--weight-only"), "goes with --int8; got --fp8", code=2)
    failed(run("export", "--int4", "--weight-only"), "INT4 is always weight-only", code=2)


def test_options_of_quantization_need_a_quantized_precision(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    output = ("-o", tmp_path / "b")
    failed(
        run("export", path, "--fp16", "--max-drop", "1", "--qat", "5", *output),
        "max_drop (--max-drop), qat_steps (--qat): only with a quantized precision",
        "got fp16",
        code=2,
    )
    failed(
        run("export", path, "--int8", "--qat", "5", "--calibration-cache", "c.json", *output),
        "need a calibration of their own",
        code=2,
    )
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("puzzles = 4\n")
    failed(
        run("export", path, "--fp32", "--recipe", recipe, *output),
        "--recipe: only with a quantized precision",
        "got fp32",
        code=2,
    )
    assert not (tmp_path / "b").exists()


def test_a_recipe_file_changes_the_calibration(tmp_path: Path, toy_dataset: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("puzzles = 3\nbias_correction = true\n")
    calibrated = ("--calibration", toy_dataset / "train", "--recipe", recipe)
    result = run("export", path, "--int8", *calibrated, "-o", tmp_path / "b")
    assert result.exit_code == 0, result.output
    calibration = Bundle.open(tmp_path / "b").calibration()
    assert calibration is not None
    assert calibration.recipe["bias_correction"] is True
    assert calibration.coverage.puzzles == 3
    recipe.write_text('activations = "per_layer"\nmethod = "percentile"\n')
    result = run("export", path, "--int8", *calibrated, "-o", tmp_path / "static")
    assert result.exit_code == 0, result.output
    assert "cpu: INT8 inputs are rounded per_layer, as the recipe says" in result.stderr
    graph = (tmp_path / "static/cpu/step.onnx").read_bytes()
    assert b"ReduceMax" not in graph  # nothing looks for the range of a token
    recipe.write_text('activations = "per_token"\nmethod = "max"\n')
    result = run("export", path, "--int8", *calibrated, "--target", "l4", "-o", tmp_path / "gpu")
    assert result.exit_code == 0, result.output
    assert "l4: INT8 inputs are rounded per_token, as the recipe says" in result.stderr
    text = (resources.files("trm_edge.targets") / "l4.toml").read_text()
    board = tmp_path / "static.toml"
    board.write_text(f'{text}int8_ranges = "per_layer"\n')
    failed(
        run(
            "export", path, "--int8", *calibrated, "--target", board, "-o", tmp_path / "static-gpu"
        ),
        "needs ranges from calibration",
        code=2,
    )
    recipe.write_text("puzzle = 3\n")
    failed(
        run("export", path, "--int8", *calibrated, "-o", tmp_path / "c"),
        "recipe.toml is not a calibration recipe for int8: unknown puzzle",
        code=2,
    )


def test_a_precision_that_the_target_lacks_is_refused(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    failed(
        run("export", path, "--fp8", "--target", "a100", "-o", tmp_path / "b"),
        "a100",
        "fp8",
        "int8",
        code=2,
    )


def test_an_existing_output_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "file").write_text("")
    failed(run("export", "--int8", "-o", tmp_path / "b"), "exists already. Pass --force")
    failed(run("export", "--int8", "-o", tmp_path / "b", "--force"), "--force does not replace it")


@pytest.mark.parametrize(
    "option", [("-o", "/proc/x/y"), ("--triton", "/proc/x"), ("--calibration-cache", "/proc/x/c")]
)
def test_an_output_that_cannot_be_written_is_refused_before_the_work(
    option: tuple[str, str], tmp_path: Path
) -> None:
    path = write_run(tmp_path / "run", BASE)
    result = run("export", path, "--int8", "-o", tmp_path / "b", *option)
    failed(result, "cannot write /proc/x")
    assert "step graph" not in result.stderr
    assert not (tmp_path / "b").exists()


def test_an_unknown_target_suggests_the_closest() -> None:
    failed(run("export", "--int8", "--target", "cpi"), "no target 'cpi'", "Did you mean cpu?")


def test_int8_without_puzzles_is_refused(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    failed(
        run("export", path, "--int8", "-o", tmp_path / "b"),
        "calibration needs puzzles, and none are bundled for the task tokens",
    )
    assert not (tmp_path / "b").exists()


def test_weights_that_are_not_averaged_are_warned_about(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    config = tmp_path / "run" / "all_config.yaml"
    config.write_text(config.read_text().replace("ema: true", "ema: false"))
    result = run("export", path, "--fp32", "-o", tmp_path / "b")
    assert result.exit_code == 0
    assert "these weights are not averaged: the run's configuration has ema: false" in result.stderr


def test_a_file_that_is_not_a_checkpoint(tmp_path: Path) -> None:
    failed(run("export", tmp_path / "absent", "--fp32", "-o", tmp_path / "b"), "no checkpoint at")
    path = write_run(tmp_path / "run", BASE)
    torch.save({"weights": torch.zeros(1)}, path)
    failed(run("export", path, "--fp32", "-o", tmp_path / "b"), "is not a Tiny Recursive Model")


def test_a_task_that_does_not_fit(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    output = ("-o", tmp_path / "b")
    failed(run("export", path, "--fp32", "--task", "sudoku", *output), "sudoku", "81 cells")
    failed(run("export", path, "--fp32", "--task", "chess", *output), "'chess'")


def test_a_drop_outside_0_to_100_points() -> None:
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


def test_a_target_of_your_own_reaches_triton(tmp_path: Path) -> None:
    """The profile is in the manifest, so its file is not needed after the export."""
    path = write_run(tmp_path / "run", BASE)
    board = _my_board(tmp_path)
    repository = tmp_path / "repository"
    result = run(
        "export", path, "--fp16", "--target", board, "-o", tmp_path / "b", "--triton", repository
    )
    assert result.exit_code == 0, result.output
    profile = Bundle.open(tmp_path / "b").manifest.targets["my-board"].profile
    assert profile is not None
    assert profile.batch == (1, 4, 24)
    config = (repository / "trm_tokens" / "config.pbtxt").read_text()
    assert "max_batch_size: 24" in config
    assert "KIND_GPU" in config
    assert 'string_value: "my-board"' in config


def test_adds_a_target_into_a_bundle(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    assert run("export", path, "--fp16", "-o", tmp_path / "b").exit_code == 0
    result = run("export", path, "--into", tmp_path / "b", "--target", _my_board(tmp_path))
    assert result.exit_code == 0, result.output
    assert re.search(r"^my-board +fp16 +my-board/step\.onnx ", result.stdout, re.MULTILINE)
    assert list(Bundle.open(tmp_path / "b").manifest.targets) == ["cpu", "my-board"]
    failed(
        run("export", path, "--into", tmp_path / "b", "--target", "cpu"),
        "has the target cpu already. Pass --force",
    )


def test_gpu_targets_get_inputs_for_noise_on_request(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    bundle = tmp_path / "b"
    targets = ("--target", "cpu", "--target", "l4")
    result = run("export", path, "--fp16", *targets, "--noise", "-o", bundle)
    assert result.exit_code == 0, result.output
    written = Bundle.open(bundle).manifest.targets
    assert {name: target.noise for name, target in written.items()} == {"cpu": False, "l4": True}
    formats = {}
    for name, target in written.items():
        model = onnx.load(bundle / target.step)
        formats[name] = model.metadata_props[0].value
    assert formats == {"cpu": "trm-edge.step/1", "l4": "trm-edge.step-noise/1"}
    line = trtexec_line(Bundle.open(bundle), "l4")
    assert ",noise_window:1,noise_sigma:1 " in line
    tries = ("--rollouts", "3", "--explore", "noise", "--format", "json")
    answers = []
    for name in ("cpu", "l4"):
        solved = run("solve", bundle, "-", "--target", name, *tries, stdin=f"{LINE}\n")
        assert solved.exit_code == 0, solved.output
        answers.append(json.loads(solved.stdout)["answer"])
    assert answers[0] == answers[1]


def test_a_target_gets_inputs_for_noise_later(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    bundle = tmp_path / "b"
    assert run("export", path, "--fp16", "--target", "l4", "-o", bundle).exit_code == 0
    into = ("export", path, "--into", bundle)
    result = run(*into, "--target", "l4", "--noise", "--force", "--quiet")
    assert result.exit_code == 0, result.output
    assert Bundle.open(bundle).manifest.targets["l4"].noise
    inputs = " ".join(run("inspect", bundle).stdout.split())
    assert "noise_window (B) int32; noise_sigma (B) float32" in inputs
    failed(run(*into, "--target", "cpu", "--noise"), "but got only cpu")


def test_noise_without_a_gpu_target_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    failed(
        run("export", path, "--fp16", "--noise", "-o", tmp_path / "b"),
        "noise (--noise) is for GPU targets, but got only cpu",
        "leave it out, or add a GPU with --target NAME",
        code=2,
    )
    assert not (tmp_path / "b").exists()


def test_into_takes_no_options_of_a_new_bundle(toy_bundle: Path) -> None:
    failed(
        run("export", "--into", toy_bundle, "--target", "l4", "--int8", "-o", "x"),
        "does not go with --int8, --output",
        code=2,
    )
    failed(run("export", "--into", toy_bundle), "pass --target NAME", code=2)


def test_into_needs_the_bundles_checkpoint(toy_bundle: Path) -> None:
    failed(
        run("export", "--into", toy_bundle, "--target", "l4"),
        "was not made from a bundled model. Pass its checkpoint step_10",
    )


def test_into_finds_the_bundled_checkpoint(toy_bundle: Path, tmp_path: Path) -> None:
    """A manifest with the Sudoku model's hash leads to that model, which then does not fit."""
    bundle = Bundle.open(toy_bundle)
    (weights,) = reference_checkpoint("sudoku").glob("step_*")
    record = replace(bundle.manifest.checkpoint, sha256=hash_file(weights))
    manifest = replace(bundle.manifest, checkpoint=record)
    copy = tmp_path / "copy"
    shutil.copytree(toy_bundle, copy)
    (copy / "manifest.json").write_text(manifest.to_json())
    failed(
        run("export", "--into", copy, "--target", "l4"),
        f"under another configuration than {weights}",
    )


@pytest.mark.parametrize("checkpoint", [".", "step_10"])
def test_a_bundle_is_named_after_the_run_s_folder(
    checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path / "-good_run", BASE)
    monkeypatch.chdir(tmp_path / "-good_run")
    result = run("export", checkpoint, "--fp32")
    assert result.exit_code == 0, result.output
    assert "Next:\n  trm-edge solve good_run-fp32\n" in result.stdout
    assert Bundle.open(tmp_path / "-good_run" / "good_run-fp32").manifest.task == "tokens"


def test_without_known_answers_there_is_no_verdict(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    result = run("export", path, "--fp16", "-o", tmp_path / "b")
    assert result.exit_code == 0, result.output
    assert "no held-out puzzles with known answers" in result.stderr
    assert "--held-out FILE" in result.stderr
    result = run("parity", tmp_path / "b")
    assert result.exit_code == 0, result.output
    assert "Agreement on random tokens: 4 puzzles" in result.stdout
    assert "accuracy is not judged" in result.stdout
    assert "within its limits" not in result.stdout
    content = json.loads(run("parity", tmp_path / "b", "--json").stdout)
    assert content["random_tokens"] is True
    assert content["labelled"] is False
    assert content["broken"] == []
    assert content["halting"]["calibration_candidate"] is None
    result = run("bench", tmp_path / "b", "--batch", "1", "--rounds", "3", "--threads", "1")
    assert "b, cpu: no answers are known, so exact match is not measured" in result.stdout
    failed(
        run("export", path, "--int8", "--max-drop", "1", "-o", tmp_path / "c"),
        "--max-drop needs known answers",
    )


def test_what_float32_solves_is_said(tmp_path: Path, toy_dataset: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    dataset = _with_metadata(toy_dataset, path)
    result = run("export", path, "--fp32", "--dataset", dataset, "-o", tmp_path / "b")
    assert "float32 solves 0 of 8 held-out puzzles (0.0 %) after all steps" in result.stderr
    assert "solves next to none of them. Check that the configuration" in result.stderr


def test_too_few_puzzles_for_a_limit_are_refused_before_the_work(
    tmp_path: Path, toy_dataset: Path
) -> None:
    path = write_run(tmp_path / "run", BASE)
    dataset = _with_metadata(toy_dataset, path)
    result = run(
        "export", path, "--int8", "--max-drop", "1", "--dataset", dataset, "-o", tmp_path / "b"
    )
    failed(result, "8 held-out puzzles cannot show that at most 1 points are lost")
    assert "step graph" not in result.stderr


def test_puzzles_are_not_a_dataset(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    (tmp_path / "p.csv").write_text("puzzle,solution\n")
    failed(
        run("export", path, "--fp32", "--dataset", tmp_path / "p.csv", "-o", tmp_path / "b"),
        "--dataset takes a dataset.json or a dataset's folder",
        "--held-out",
    )


def test_a_small_sudoku_is_not_a_maze(tmp_path: Path) -> None:
    checkpoint = bug_run("sudoku4x4", tmp_path)
    dataset = BUGS / "sudoku4x4_dataset"
    result = run("export", checkpoint, "--fp32", "--dataset", dataset, "-o", tmp_path / "b")
    assert result.exit_code == 0, result.output
    assert "task maze" not in result.stderr
    result = run("solve", tmp_path / "b", dataset)
    assert "not valid: expected one S" not in result.stdout


def test_the_accuracy_of_every_target_is_printed(tmp_path: Path, toy_dataset: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    dataset = _with_metadata(toy_dataset, path)
    board = tmp_path / "static.toml"
    text = (resources.files("trm_edge.targets") / "l4.toml").read_text()
    board.write_text(f'{text}int8_ranges = "per_layer"\n')
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('method = "max"\n')  # entropy, the default, takes ModelOpt half a minute
    options = ("--target", "cpu", "--target", "l4", "--target", board, "--recipe", recipe)
    result = run("export", path, "--int8", *options, "--dataset", dataset, "-o", tmp_path / "b")
    assert result.exit_code == 0, result.output
    accuracy = result.stdout.partition("Against float32")[2].partition("Next:")[0]
    figures = dict(re.findall(r"^(\S+) +(\d+\.\d % .* %)$", accuracy, re.MULTILINE))
    assert list(figures) == ["cpu", "l4", "static"]
    assert figures["cpu"] == figures["l4"]  # the same quantization
    records = Bundle.open(tmp_path / "b").manifest.targets
    assert records["cpu"].simulated == records["l4"].simulated
    assert records["static"].simulated is not None


def test_without_known_answers_only_the_halting_step_is_printed(
    tmp_path: Path, toy_dataset: Path
) -> None:
    path = write_run(tmp_path / "run", BASE)
    calibrated = ("--calibration", toy_dataset / "train")
    result = run("export", path, "--int8", *calibrated, "-o", tmp_path / "b")
    assert result.exit_code == 0, result.output
    assert "held-out puzzles without known answers:\n" in result.stdout
    assert re.search(r"^target  same step\n.*\ncpu +\d+\.\d %$", result.stdout, re.MULTILINE)
    assert "adaptive" not in result.stdout


def test_float_graphs_have_no_simulated_accuracy(tmp_path: Path, toy_dataset: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    dataset = _with_metadata(toy_dataset, path)
    result = run("export", path, "--fp16", "--dataset", dataset, "-o", tmp_path / "b")
    assert result.exit_code == 0, result.output
    assert "simulated" not in result.stdout
    assert Bundle.open(tmp_path / "b").manifest.targets["cpu"].simulated is None
