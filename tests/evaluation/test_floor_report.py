"""The floor beside a run: counted on the same puzzles, and where it takes a limit's place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.evaluation.floors import changed_vectors, sample_floor
from tests.evaluation.samples import fake_vectors
from trm_edge.errors import ConfigError
from trm_edge.evaluation.floor import FloatChange, NumericsFloor
from trm_edge.evaluation.floor_report import floor_report
from trm_edge.evaluation.parity import compare
from trm_edge.evaluation.statistics import paired_drop, wilson_interval
from trm_edge.manifest import Limits


def test_it_is_counted_on_the_puzzles_that_both_have() -> None:
    reference = fake_vectors()
    report = floor_report(sample_floor(), reference, changed_vectors())
    assert report.puzzles == 10
    rounded = report.changes["bfloat16_carry"]
    assert rounded.flips("fixed") == (2, 1)
    assert rounded.flips("adaptive") == (1, 0)
    assert rounded.same_step == pytest.approx(0.7)
    assert report.same_step_below(0.9) == wilson_interval(7, 10)[0]
    assert report.same_step_below(0.7) is None  # float arithmetic alone keeps this limit
    assert report.candidate.same_step == pytest.approx(0.9)
    fewer = floor_report(sample_floor(), reference.first(5), changed_vectors().first(5))
    assert fewer.puzzles == 5
    assert fewer.changes["bfloat16_carry"].flips("fixed") == (1, 1)
    assert list(report.rows) == ["float32, 8 slots", "float32, bfloat16 carries", "this target"]


def test_only_a_loss_for_sure_is_a_floor_of_the_drop() -> None:
    reference = fake_vectors()
    report = floor_report(sample_floor(), reference, reference)
    assert report.drop_beyond("fixed", 0.5) is report.drop_beyond("adaptive", 0.5) is None
    lossy = FloatChange("bfloat16_carry", tuple(range(9)), (), (), (), (), 0.9)
    report = floor_report(NumericsFloor(10, 8, (lossy,)), reference, reference)
    assert report.drop_beyond("fixed", 0.5) == 100 * paired_drop(9, 0, 10)[0]
    assert report.drop_beyond("fixed", 90) is None
    assert report.drop_beyond("adaptive", 0.5) is None


def test_a_limit_is_judged_against_it() -> None:
    reference = fake_vectors()
    steps = reference.halting_steps.copy()
    steps[:8] = 17 - steps[:8]
    candidate = replace(reference, halting_steps=steps)
    assert "halting.agreement" in {b.id for b in compare(reference, candidate).broken(Limits())}
    moving = FloatChange("bfloat16_carry", (), (), (), (), tuple(range(5)), 0.9)
    floor = NumericsFloor(10, 8, (moving,))
    assert compare(reference, candidate, floor).broken(Limits()) == []


def test_counts_from_a_file_that_cannot_be_are_refused() -> None:
    reference = fake_vectors()
    report = floor_report(sample_floor(), reference, reference)
    with pytest.raises(ConfigError, match="flips must be of 10 puzzles, but are 11 and 0"):
        replace(report, candidate=replace(report.candidate, lost_fixed=11))
    with pytest.raises(ConfigError, match="same_step must lie in"):
        replace(report, candidate=replace(report.candidate, same_step=-1.0))
    with pytest.raises(ConfigError, match="has none"):
        replace(report, changes={})
