"""Warnings of an export whose simulated accuracy breaks a limit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from tests.evaluation.samples import PUZZLES, fake_vectors
from tests.logs import logged
from trm_edge.evaluation.parity import ParityReport, compare
from trm_edge.manifest import Limits
from trm_edge.profile import TargetProfile
from trm_edge.targets.limit_warnings import warn_where_limits_break, way_out
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.simulation import TargetSimulator

CPU = load_profile("cpu")
ORIN = load_profile("jetson-orin-nano")
H100 = load_profile("h100")
STATIC = replace(ORIN, name="static-board", int8_ranges="per_layer")
LIMITS = Limits(max_drop=0.5, min_halting_agreement=0.85)


def same_answers() -> ParityReport:
    vectors = fake_vectors()
    return compare(vectors, vectors)


def other_steps() -> ParityReport:
    """Every puzzle halts at another step, with the same answers after the last."""
    vectors = fake_vectors()
    others = vectors.halting_steps % vectors.q_halt.shape[1] + 1
    return compare(vectors, replace(vectors, halting_steps=others))


def wrong_answers() -> ParityReport:
    """Every answer is wrong, at the same halting step."""
    vectors = fake_vectors()
    return compare(vectors, replace(vectors, predictions=vectors.predictions + 1))


class MadeUpSimulator:
    """Reports by name of the target."""

    def __init__(self, reports: dict[str, ParityReport]) -> None:
        self.reports = reports

    def report(self, profile: TargetProfile) -> ParityReport:
        return self.reports[profile.name]


def warnings_of(reports: dict[str, ParityReport], *profiles: TargetProfile) -> list[str]:
    simulator = cast(TargetSimulator, MadeUpSimulator(reports))
    with logged() as lines:
        warn_where_limits_break(profiles, "int8", simulator, LIMITS)
    return lines


def test_targets_within_their_limits_are_not_mentioned() -> None:
    report = same_answers()
    assert warnings_of({"cpu": report, "h100": report}, CPU, H100) == []


def test_a_broken_limit_is_named_with_its_figure_and_a_way_out() -> None:
    (line,) = warnings_of({"static-board": other_steps(), "cpu": same_answers()}, STATIC, CPU)
    assert line.startswith("warning: static-board: ")
    assert "0.0 % of the puzzles stop at the same step" in line
    assert "85.0 %" in line
    assert f"simulated on {PUZZLES} held-out puzzles" in line
    assert "trm-edge parity" in line
    assert 'int8_ranges = "per_token_products"' in line
    assert "cpu" not in line


def test_targets_with_the_same_figures_share_a_warning() -> None:
    shared = other_steps()
    reports = {"cpu": shared, "h100": shared, "static-board": wrong_answers()}
    lines = warnings_of(reports, CPU, STATIC, H100)
    assert [line.split(": ")[1] for line in lines] == ["cpu, h100", "static-board"]


@pytest.mark.parametrize(
    ("profile", "precision", "drops", "expected", "absent"),
    [
        (STATIC, "int8", False, ["per_token_products", "--fp16"], ["--max-drop", "--int8"]),
        (ORIN, "int8", True, ["--max-drop POINTS", "--fp16"], ["int8_ranges"]),
        (H100, "fp8", False, ["--int8", "--fp16"], ["--max-drop"]),
        (CPU, "fp8", False, ["--int8", "--fp32"], ["--fp16"]),
        (CPU, "int4-weight-only", False, ["--int8 --weight-only", "--fp32"], ["--fp16"]),
        (CPU, "int8-weight-only", True, ["--max-drop POINTS", "--fp32"], ["--int8"]),
    ],
)
def test_ways_out_are_options_that_the_target_has(
    profile: TargetProfile, precision: Any, drops: bool, expected: list[str], absent: list[str]
) -> None:
    text = way_out([profile], precision, drops=drops)
    for option in expected:
        assert option in text
    for option in absent:
        assert option not in text
