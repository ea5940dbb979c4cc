"""Suggestions for misspelt names."""

from __future__ import annotations

from trm_edge.suggestions import did_you_mean

NAMES = ["jetson-orin-nano", "jetson-orin-nx", "l4", "l40s", "cpu"]


def test_the_closest_come_first() -> None:
    assert did_you_mean("jetson-orin-nan", NAMES).startswith(" Did you mean jetson-orin-nano or ")
    assert did_you_mean("CPU", NAMES) == " Did you mean cpu?"


def test_names_that_hold_the_word() -> None:
    assert did_you_mean("orin", NAMES) == " Did you mean jetson-orin-nano or jetson-orin-nx?"
    assert did_you_mean("orin", NAMES, count=1) == " Did you mean jetson-orin-nano?"


def test_nothing_alike_suggests_nothing() -> None:
    assert did_you_mean("tpu-v5", ["a100"]) == ""
    assert did_you_mean("", NAMES) == ""
    assert did_you_mean("a", ["cat"]) == ""
