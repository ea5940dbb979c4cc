"""What goes red and what does not, on measurements that are made up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.evaluation.measurements import MACHINE, PUZZLES, measured, times
from trm_edge.errors import ConfigError
from trm_edge.evaluation.baseline import Measured
from trm_edge.evaluation.budgets import Budgets
from trm_edge.evaluation.regress import CHECKS, Check, compare_with_baseline, regressed

BUDGETS = Budgets()


def checks(now: Measured, then: Measured | None = None) -> dict[str, Check]:
    found = compare_with_baseline(now, then or measured(), BUDGETS)
    assert {check.name for check in found} <= set(CHECKS)
    return {check.name: check for check in found}


def red(now: Measured, then: Measured | None = None) -> list[str]:
    return [check.name for check in regressed(list(checks(now, then).values()))]


def answering(**change: Any) -> Measured:
    before = measured()
    return replace(before, answers=replace(before.answers, **change))


def flipped(lost: int, gained: int, mode: str = "right_fixed") -> Measured:
    right = getattr(measured().answers, mode).copy()
    solved, failed = np.flatnonzero(right), np.flatnonzero(~right)
    right[solved[:lost]], right[failed[:gained]] = False, True
    return answering(**{mode: right})


def test_the_same_is_not_red() -> None:
    found = checks(measured())
    assert {check.verdict for check in found.values()} == {"ok"}


def test_unchanged_but_noisy_runs_are_hardly_ever_red() -> None:
    assert sum(bool(red(measured(seed))) for seed in range(1, 201)) <= 2


@pytest.mark.parametrize(("slower", "least"), [(1.1, 195), (1.2, 200)])
def test_a_slowdown_is_found(slower: float, least: int) -> None:
    found = sum("a step of 1 slot" in red(measured(seed, slower)) for seed in range(1, 201))
    assert found >= least


def test_both_yardsticks_have_to_say_slower() -> None:
    """A MatMul that another library version computes quicker makes no step slower."""
    then, now = measured(), measured(1)
    speed = now.speeds[0]
    quicker = {slots: {**by, "matmul": times(7, 0.6)} for slots, by in speed.times.items()}
    changed = replace(now, speeds=(replace(speed, times=quicker),))
    assert red(changed, then) == []
    # But a float32 step that was exported anew may have become slower, too.
    anew = replace(changed, float32_sha256="e" * 64)
    assert red(anew, then) == ["a step of 1 slot", "a step of 8 slots"]


def test_another_kind_of_machine_is_told_not_judged() -> None:
    slow = measured(1, 3.0)
    other = replace(slow.speeds[0], machine=replace(MACHINE, cpu="another"), memory=1e12)
    found = checks(replace(slow, speeds=(other,)))
    assert found["speed"].verdict == "not compared"
    assert "The baseline knows a CPU, this is another" in found["speed"].why
    assert "a step of 1 slot" not in found


@pytest.mark.parametrize(
    ("lost", "gained", "worse"),
    [(1, 0, False), (3, 0, False), (6, 5, False), (8, 0, True), (25, 5, True), (0, 9, False)],
)
def test_flips_count_and_noise_does_not(lost: int, gained: int, worse: bool) -> None:
    now = flipped(lost, gained)
    assert red(now) == (["exact match, fixed"] if worse else [])
    check = checks(now)["exact match, fixed"]
    assert f"{lost} lost, {gained} gained of {PUZZLES}" in check.why
    assert (check.verdict == "better") == (gained - lost >= 9)


def test_each_mode_by_itself() -> None:
    assert red(flipped(20, 0, "right_adaptive")) == ["exact match, adaptive"]


def test_other_halting_steps() -> None:
    steps = measured().answers.steps.copy()
    steps[:60] = 17 - steps[:60]
    assert "same halting step" in red(answering(steps=steps))
    assert "ACT steps" not in red(answering(steps=steps))
    later = np.minimum(measured().answers.steps + 1, 16)
    found = checks(answering(steps=later))
    assert found["ACT steps"].verdict == "regressed"
    assert "% more" not in found["ACT steps"].line
    assert "allowed +3 %" in found["ACT steps"].line


def test_a_carry_further_from_float32() -> None:
    error = measured().answers.error
    rng = np.random.default_rng(0)
    assert red(answering(error=error * rng.lognormal(0, 0.3, len(error)))) == []
    assert red(answering(error=error * 1.6)) == ["error of the carry"]
    assert checks(answering(error=error * 0.5))["error of the carry"].verdict == "better"
    exact = answering(error=np.zeros_like(error))
    assert red(exact, exact) == []


def test_other_puzzles_and_other_labels() -> None:
    assert red(answering(puzzles="e" * 64)) == ["puzzles"]
    found = checks(answering(labels="e" * 64))
    assert found["labels"].verdict == "regressed"
    assert "their known answers are not" in found["labels"].why
    assert "exact match, fixed" not in found


def test_size_memory_and_start_up() -> None:
    before = measured()
    assert red(replace(before, sizes={"step graph": 605_000})) == []
    assert red(replace(before, sizes={"step graph": 610_000})) == ["size of the step graph"]
    speed = before.speeds[0]
    heavy = replace(before, speeds=(replace(speed, memory=24e6, startup=0.7),))
    assert red(heavy) == ["peak memory", "start-up"]
    built = replace(before, sizes={**before.sizes, "engine": 1})
    assert checks(built)["size of the engine"].verdict == "not compared"


def test_layers_back_in_float() -> None:
    now = replace(measured(), float_layers=("lm_head", "q_head", "L_level.layers.0.mlp.down"))
    assert red(now) == ["layers in float"]
    assert "L_level.layers.0.mlp.down" in checks(now)["layers in float"].why


def test_layers_of_an_engine() -> None:
    then = replace(measured(), engine_layers={"a": "int8 x 21", "b": "float16 x 3"})
    now = replace(then, engine_layers={"a": "float16 x 2, int8 x 19", "b": "int8 x 3"})
    name = "precision of the engine's layers"
    assert red(now, then) == [name]
    assert "a (int8 x 21 before, float16 x 2, int8 x 19 now)" in checks(now, then)[name].why
    assert red(then, then) == []


def test_budgets_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Budgets.read(None) == Budgets()
    Path("trm-edge.toml").write_text("[regress]\nlatency = 12.5\nmax_drop = 1\n")
    assert Budgets.read(None) == Budgets(latency=12.5, max_drop=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[regress]\nlatncy = 1", "has latncy, but knows only max_drop, halting_agreement"),
        ("[regress]\nlatency = -1", r"regress.latency must lie in 0\.\.1000, but got -1"),
        ("[regress]\nhalting_agreement = 90", r"halting_agreement must lie in 0\.\.1, but got 90"),
        ("[regress]\nsize = 'small'", "regress.size must be a number, but got 'small'"),
        ("regress = 1", "knows only"),
        ("[", "is no TOML"),
    ],
)
def test_budgets_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        Budgets.read(path)


def test_no_budgets_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read budgets from"):
        Budgets.read(tmp_path / "absent.toml")
