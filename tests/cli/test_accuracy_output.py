from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from trm_edge.bundle import Bundle
from trm_edge.cli.accuracy_output import print_accuracy
from trm_edge.manifest import SimulatedAccuracy

ACCURACY = SimulatedAccuracy(
    puzzles=512,
    exact_fixed=0.98047,
    exact_adaptive=0.9531,
    drop_fixed=0.0,
    drop_adaptive=-0.585,
    drop_bound=0.66,
    halting_agreement=0.9141,
    carry_cosine_first=0.9981,
    carry_cosine_last=0.9987,
)


def bundle_with(toy_bundle: Path, simulated: dict[str, SimulatedAccuracy | None]) -> Bundle:
    """The toy bundle, its record repeated for each target."""
    bundle = Bundle.open(toy_bundle)
    record = bundle.manifest.targets["cpu"]
    targets = {}
    for name, accuracy in simulated.items():
        targets[name] = replace(record, simulated=accuracy)
    return Bundle(bundle.path, replace(bundle.manifest, targets=targets))


def test_a_line_for_each_target(toy_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = bundle_with(toy_bundle, {"cpu": ACCURACY, "old": None, "l4": ACCURACY})
    print_accuracy(bundle)
    lines = capsys.readouterr().out.split("\n")
    assert "Against float32, simulated on 512 held-out puzzles:" in lines
    rows = [line.split() for line in lines if "98.0 %" in line]
    figures = ["98.0", "%", "+0.00", "95.3", "%", "+0.58", "91.4", "%"]
    assert rows == [["cpu", *figures], ["l4", *figures]]


def test_without_known_answers_only_halting_is_compared(
    toy_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_accuracy(bundle_with(toy_bundle, {"cpu": replace(ACCURACY, labelled=False)}))
    text = capsys.readouterr().out
    assert "512 held-out puzzles without known answers:" in text
    assert "91.4 %" in text
    assert "98.0" not in text


def test_nothing_where_nothing_is_simulated(
    toy_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_accuracy(bundle_with(toy_bundle, {"cpu": None}))
    assert capsys.readouterr().out == ""
