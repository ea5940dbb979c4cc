"""The numerics floor: recorded at export, read back, and counted beside a run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.evaluation.samples import fake_vectors
from trm_edge import records
from trm_edge.bundle import FLOOR, Bundle
from trm_edge.errors import BundleError, ConfigError
from trm_edge.evaluation.floor import (
    FORMAT,
    KIND,
    FloatChange,
    NumericsFloor,
    float_change,
    measure_floor,
)
from trm_edge.evaluation.floor_report import floor_report
from trm_edge.evaluation.parity import compare
from trm_edge.evaluation.statistics import paired_drop, wilson_interval
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.manifest import Limits


def changed_vectors() -> ParityVectors:
    """The fake runs with puzzle 1 lost in fixed mode, 2 in both, and 3 at another step."""
    vectors = fake_vectors()
    predictions = vectors.predictions.copy()
    predictions[1, -1, 5] += 1
    predictions[2, :, 5] += 1
    steps = vectors.halting_steps.copy()
    steps[3] = 17 - steps[3]
    return replace(vectors, predictions=predictions, halting_steps=steps)


def sample_floor() -> NumericsFloor:
    """A floor of 10 puzzles, of which bfloat16 loses two and moves three."""
    same = FloatChange("other_batch", (), (), (), (), (), 1.0)
    rounded = FloatChange("bfloat16_carry", (0, 9), (4,), (9,), (), (0, 4, 9), 0.99)
    return NumericsFloor(10, 8, (same, rounded))


def test_a_change_lists_its_puzzles() -> None:
    reference = fake_vectors()
    change = float_change("bfloat16_carry", reference, changed_vectors())
    assert set(change.lost_fixed) >= {1, 2}
    assert 2 in change.lost_adaptive
    assert change.gained_fixed == change.gained_adaptive == ()
    assert change.other_step == (3,)
    assert change.carry_cosine == pytest.approx(1)
    back = float_change("other_batch", changed_vectors(), reference)
    assert back.gained_fixed == change.lost_fixed
    assert back.lost_fixed == ()


def test_an_export_records_it_and_the_other_batch_changes_a_toy_hardly(toy_bundle: Path) -> None:
    bundle = Bundle.open(toy_bundle)
    floor = bundle.floor()
    assert floor is not None
    assert floor.puzzles == len(bundle.parity())
    assert [change.change for change in floor.changes] == ["other_batch", "bfloat16_carry"]
    batch, rounded = floor.changes
    assert batch.carry_cosine == pytest.approx(1, abs=1e-5)
    assert rounded.carry_cosine < batch.carry_cosine
    assert bundle.manifest.float32 is not None
    again = measure_floor(
        bundle.path / bundle.manifest.float32,
        bundle.config,
        bundle.puzzle_embeddings(),
        bundle.parity(),
    )
    assert again.changes[1].carry_cosine == pytest.approx(rounded.carry_cosine, abs=1e-4)


def test_a_bundle_without_it_opens_and_says_none(old_bundles: Path) -> None:
    for path in old_bundles.iterdir():
        assert Bundle.open(path).floor() is None


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


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("puzzles", 5, "indices below 5, but hold 9"),
        ("puzzles", 0, "1 puzzle, 1 slot and 1 change or more"),
        ("changes", [], "1 puzzle, 1 slot and 1 change or more"),
    ],
)
def test_a_damaged_one_is_refused(key: str, value: object, message: str) -> None:
    content = json.loads(records.encode(sample_floor(), FORMAT))
    content[key] = value
    with pytest.raises(BundleError, match=message):
        records.decode(json.dumps(content), NumericsFloor, KIND, FLOOR)


def test_lists_are_ascending() -> None:
    with pytest.raises(ConfigError, match="ascending order"):
        FloatChange("other_batch", (3, 3), (), (), (), (), 1.0)
    with pytest.raises(ConfigError, match="ascending order"):
        FloatChange("other_batch", (-2,), (), (), (), (), 1.0)
    with pytest.raises(ConfigError, match="carry_cosine must lie in"):
        FloatChange("other_batch", (), (), (), (), (), 2.0)


def test_it_is_a_record() -> None:
    floor = sample_floor()
    text = records.encode(floor, FORMAT, indent=0)
    assert records.decode(text, NumericsFloor, KIND, FLOOR) == floor
