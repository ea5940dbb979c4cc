"""``trm-edge solve`` with several tries, with answers withheld, and in time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import LINE, run
from tests.toys import BASE
from trm_edge.bundle import Bundle


def solved(bundle: Path, *options: object, stdin: str = LINE) -> list[dict[str, Any]]:
    result = run("solve", bundle, "-", "--format", "json", *options, stdin=stdin)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def sudoku(old_bundles: Path) -> Path:
    return old_bundles / "toy-fp32"


@pytest.fixture
def sudokus(sudoku: Path) -> str:
    bundle = Bundle.open(sudoku)
    task = bundle.task()
    return "\n".join(task.text(tokens) for tokens in bundle.parity().tokens[:3])


@pytest.mark.parametrize(
    "options",
    [
        ["--explore", "noise"],
        ["--explore", "start"],
        ["--explore", "noise,start", "--select", "mode"],
        ["--explore", "depth,noise", "--select", "settled", "--halt", "fixed"],
        ["--explore", "noise", "--sigma", 2, "--explore-seed", 7],
    ],
)
def test_tries_of_a_task_without_forms(options: list[object], toy_bundle: Path) -> None:
    (record,) = solved(toy_bundle, "--rollouts", 3, *options)
    assert record["tries"] == 3 or "mode" in options
    assert record["steps"] >= record["tries"]
    assert record == solved(toy_bundle, "--rollouts", 3, *options, stdin=f"{LINE}\n{LINE}")[0]


def test_the_seed_changes_the_tries(toy_bundle: Path) -> None:
    logits = []
    for seed in (0, 1):
        options = ["--rollouts", 9, "--explore", "start", "--halt", "fixed"]
        (record,) = solved(toy_bundle, *options, "--explore-seed", seed)
        logits.append(record["q_halt"])
    assert logits[0] != logits[1]


def test_depth_goes_beyond_the_models_own_steps(toy_bundle: Path) -> None:
    settled = ["--halt", "fixed", "--explore", "depth"]
    (record,) = solved(toy_bundle, *settled, "--stop-unchanged", 1000)
    assert record["steps"] == 4 * BASE.halt_max_steps
    (record,) = solved(toy_bundle, *settled, "--max-steps", 2)
    assert record["steps"] == 2
    assert record["tries"] == 1


def test_only_valid_answers_are_given(sudoku: Path, sudokus: str) -> None:
    records = solved(sudoku, "--only-valid", stdin=sudokus)  # a toy: none is right
    assert [record["outcome"] for record in records] == ["unsolved"] * 3
    assert [record["answer"] for record in records] == [None] * 3
    assert [record["valid"] for record in records] == [False] * 3
    text = run("solve", sudoku, "-", "--only-valid", stdin=sudokus)
    assert "unsolved" in text.stdout
    assert "0 of 3 solved" in text.stdout
    assert "without an answer, unsolved or unsure: 3" in text.stderr


def test_unsure_answers_are_withheld(toy_bundle: Path) -> None:
    (record,) = solved(toy_bundle)
    confidence = record["confidence"]
    assert record["outcome"] == "answered"
    assert record["answer"]
    (unsure,) = solved(toy_bundle, "--answer-if", min(1.0, confidence + 1e-3))
    assert unsure["outcome"] == "unsure"
    assert unsure["answer"] is None
    (sure,) = solved(toy_bundle, "--answer-if", confidence - 1e-3)
    assert sure == record


def test_a_deadline_far_away_changes_nothing(toy_bundle: Path) -> None:
    assert solved(toy_bundle, "--deadline-ms", 1e7) == solved(toy_bundle)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--explore", "luck"], "'luck' is not one of forms, noise, start, depth"),
        (["--sigma", 1], "Add --explore noise or --explore start"),
        (["--sigma", -1, "--explore", "noise"], "-1.0 is not in the range x>=0"),
        (["--explore", "noise"], "Ask for more tries, such as --rollouts 8"),
        (["--rollouts", 2, "--explore", "depth"], "would all be the same"),
        (["--rollouts", 2, "--explore", "noise", "--select", "valid"], "with q, mode or settled"),
        (["--only-valid"], "the task tokens has no rule"),
        (["--rollouts", 2, "--explore", "noise", "--select", "settled"], "(--halt fixed)"),
        (["--answer-if", 2], "2.0 is not in the range 0<=x<=1"),
        (["--deadline-ms", 0], "0.0 is not in the range x>0"),
        (["--deadline-ms", 1e-6], "is shorter than one step"),
        (["--min-confidence", 0.5, "--select", "mode"], "Leave out one of them"),
        (["--max-steps", 10**6], "max_steps must be at most 65,536, but got 1,000,000"),
        (["--halt-threshold", "nan"], "the halting threshold must be finite, but got nan"),
    ],
)
def test_what_does_not_fit_is_a_sentence(
    options: list[object], message: str, toy_bundle: Path
) -> None:
    result = run("solve", toy_bundle, "-", *options, stdin=LINE)
    # A deadline may be too short for this machine alone; all else is wrong anywhere.
    assert result.exit_code == (1 if "shorter than one step" in message else 2)
    assert not result.stdout
    assert message in result.stderr.replace("\n", " ")
