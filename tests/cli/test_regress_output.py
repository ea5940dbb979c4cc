"""The words of regression checks: table, sentences and JUnit XML."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from trm_edge.cli.regress_output import (
    figures,
    make_table,
    print_table,
    sentence,
    summary,
    write_junit,
)
from trm_edge.console import plain_console
from trm_edge.regression.check import Change, Check, not_compared

LOST = Check(
    id="exact_match.fixed",
    verdict="regressed",
    unit="share",
    before=0.982,
    now=0.966,
    change=Change(-0.0156, (-0.0271, -0.0049)),
    budget=-0.005,
    reason="8 lost, 0 gained of 512, p 0.008",
)
SLOWER = Check(
    id="latency.slots_1",
    verdict="ok",
    unit="times_float32_step",
    before=0.5432,
    now=0.5511,
    change=Change(0.0142, (-0.002, 0.031), relative=True),
    budget=0.05,
)
SMALLER = Check(
    id="size.step_graph",
    verdict="better",
    unit="bytes",
    before=621_726,
    now=500_000,
    change=Change(-0.1958, relative=True),
    budget=0.01,
)
UNKNOWN = not_compared("speed", "The baseline has times of no machine")
CHECKS = [LOST, SLOWER, SMALLER, UNKNOWN]


@pytest.mark.parametrize(
    ("check", "texts"),
    [
        (LOST, ("98.2 %", "96.6 %", "-1.56 points, 95 % -2.71 to -0.49", "-0.5 points")),
        (
            SLOWER,
            ("0.543 x float32 step", "0.551 x float32 step", "+1.4 %, 95 % -0.2 to +3.1", "+5 %"),
        ),
        (SMALLER, ("621.7 kB", "500.0 kB", "-19.6 %", "+1 %")),
        (UNKNOWN, ("", "", "", "")),
        (
            Check(
                id="halting.steps",
                verdict="ok",
                unit="steps",
                before=1.7,
                now=1.7,
                change=Change(0.0, (0.0, 0.0), relative=True),
                budget=0.03,
            ),
            ("1.70 steps", "1.70 steps", "+0.0 %, 95 % +0.0 to +0.0", "+3 %"),
        ),
        (
            Check(
                id="graph.identical",
                verdict="ok",
                unit="flag",
                before=1,
                now=0,
                change=Change(-1),
            ),
            ("yes", "no", "different", "any"),
        ),
        (
            Check(
                id="layers.float",
                verdict="regressed",
                unit="layers",
                before=2,
                now=3,
                change=Change(1),
                budget=0,
            ),
            ("2", "3", "+1", "none"),
        ),
        (
            Check(id="memory.peak", verdict="ok", unit="bytes", before=26_992_640, now=27e6),
            ("26.99 MB", "27.00 MB", "", ""),
        ),
        (
            Check(id="carry.error", verdict="ok", unit="cosine_distance", before=2e-3, now=1e-3),
            ("2.00e-03", "1.00e-03", "", ""),
        ),
        (
            Check(id="latency.slots_8", verdict="ok", unit="milliseconds", before=1.2, now=1.25),
            ("1.2 ms", "1.25 ms", "", ""),
        ),
        (
            Check(
                id="limits.float32",
                verdict="ok",
                unit="limits",
                before=0,
                now=0,
                change=Change(0),
                budget=0,
            ),
            ("0 broken", "0 broken", "", "none"),
        ),
    ],
    ids=lambda value: value.id if isinstance(value, Check) else "",
)
def test_figures_have_units(check: Check, texts: tuple[str, ...]) -> None:
    assert figures(check) == texts


def test_sentences() -> None:
    assert sentence(LOST) == (
        "exact_match.fixed: 98.2 % before, 96.6 % now (-1.56 points, 95 % -2.71 to -0.49, allowed "
        "-0.5 points). 8 lost, 0 gained of 512, p 0.008"
    )
    assert sentence(UNKNOWN) == "speed: not compared. The baseline has times of no machine"
    assert summary(CHECKS) == "1 regressed"
    assert summary([SLOWER]) == "nothing regressed"


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_narrow_terminal_wraps_the_table_and_cuts_nothing(width: int) -> None:
    out = StringIO()
    title = "a title that is longer than the table is wide " * 3
    make_table(CHECKS, title).print(plain_console(file=out, width=width))
    text = out.getvalue()
    words = " ".join(text.split())
    assert "…" not in text
    for word in (
        "exact_match.fixed",
        "latency.slots_1",
        "REGRESSED",
        "not compared",
        "-0.2 to +3.1",
        "-2.71 to -0.49",
    ):
        assert word in text or word in words
    assert "wide a title" in " ".join(text.split())


def test_wide_prints_a_line_for_each_check(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(CHECKS, "toy[1]: cpu, int8", wide=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == "toy[1]: cpu, int8"
    (row,) = [line for line in lines if "latency.slots_1" in line]
    assert "0.543 x float32 step" in row
    assert "+1.4 %, 95 % -0.2 to +3.1" in row
    assert "exact_match.fixed: 8 lost, 0 gained of 512, p 0.008" in lines
    assert "speed: The baseline has times of no machine" in lines


def test_junit_names_tests_by_identifier(tmp_path: Path) -> None:
    path = tmp_path / "out" / "junit.xml"
    write_junit(path, CHECKS, "trm-edge.toy.cpu")
    suite = ET.parse(path).getroot()[0]
    assert suite.attrib == {
        "name": "trm-edge.toy.cpu",
        "tests": "4",
        "failures": "1",
        "skipped": "1",
        "errors": "0",
    }
    assert [case.attrib["name"] for case in suite] == [check.id for check in CHECKS]
    assert [case[0].tag for case in suite] == ["failure", "system-out", "system-out", "skipped"]
    assert suite[0][0].attrib["message"] == sentence(LOST)
