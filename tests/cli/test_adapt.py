from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result

from tests.cli.commands import failed, run
from tests.training.toys import MIRROR, RECOLOUR, toy_run
from trm_edge.bundle import Bundle
from trm_edge.export.checkpoint import load_checkpoint

pytest.importorskip("torch", reason="needs pip install 'trm-edge[export]'")


def write_tasks(folder: Path, **tasks: object) -> Path:
    path = folder / "tasks.json"
    path.write_text(json.dumps(tasks or {"mirror": MIRROR, "recolour": RECOLOUR}))
    return path


def adapt(folder: Path, *options: object) -> Result:
    return run(
        "adapt",
        folder / "run",
        folder / "tasks.json",
        "--augmentations",
        "3",
        "--batch",
        "2",
        "--threads",
        "1",
        "-o",
        folder / "adapted",
        *options,
    )


def test_an_adapted_run_is_a_checkpoint(tmp_path: Path) -> None:
    toy_run(tmp_path / "run")
    write_tasks(tmp_path)
    result = adapt(tmp_path, "--steps", 4)
    assert result.exit_code == 0, result.output
    assert "2 tasks, 8 variants, 1 of them known to the checkpoint; 4 x 4 cells" in result.output
    assert f"Wrote {tmp_path / 'adapted'}" in result.output
    checkpoint = load_checkpoint(tmp_path / "adapted")
    assert checkpoint.identifiers is not None
    assert checkpoint.identifiers[:2] == ["<blank>", "mirror"]
    assert checkpoint.config.num_puzzle_identifiers == 9
    assert checkpoint.averaged is True
    names = sorted(path.name for path in (tmp_path / "adapted").iterdir())
    expected = ["all_config.yaml", "dataset.json", "identifiers.json", "step_4"]
    assert names == [*expected, "test", "test_puzzles.json", "train"]
    assert not (tmp_path / "adapted.adapt").exists()
    again = adapt(tmp_path, "--steps", 4)
    failed(again, "exists already. Pass --force")
    assert adapt(tmp_path, "--steps", 4, "--force").exit_code == 0


@pytest.mark.filterwarnings("ignore::trm_edge.errors.CalibrationWarning")
def test_an_export_calibrates_on_the_demonstrations_of_the_run(tmp_path: Path) -> None:
    toy_run(tmp_path / "run")
    write_tasks(tmp_path)
    assert adapt(tmp_path, "--steps", 1).exit_code == 0
    result = run(
        "export",
        tmp_path / "adapted",
        "--int8",
        "--calibration-puzzles",
        4,
        "-o",
        tmp_path / "bundle",
    )
    assert result.exit_code == 0, result.output
    bundle = Bundle.open(tmp_path / "bundle")
    assert bundle.target()[1].precision == "int8"
    held_out = bundle.parity()
    assert set(held_out.identifiers.tolist()) == set(range(1, 9))
    assert held_out.labelled


def test_a_task_that_cannot_be_used_leaves_the_others(tmp_path: Path) -> None:
    toy_run(tmp_path / "run")
    write_tasks(tmp_path, mirror=MIRROR, wrong={"train": [], "test": []})
    result = adapt(tmp_path, "--steps", 1)
    failed(result, "Left out:", "wrong: it has no demonstration")
    assert (tmp_path / "adapted" / "step_1").exists()


def test_misuse(tmp_path: Path) -> None:
    toy_run(tmp_path / "run")
    write_tasks(tmp_path)
    failed(adapt(tmp_path), "Pass either --minutes or --steps", code=2)
    failed(
        adapt(tmp_path, "--steps", 1, "--minutes", 1), "Pass either --minutes or --steps", code=2
    )
    (tmp_path / "tasks.json").unlink()
    failed(adapt(tmp_path, "--steps", 1), "tasks.json does not exist. Pass a JSON file")
