"""The numerics floor: recorded at export, read back, and counted beside a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.evaluation.floors import changed_vectors, sample_floor
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
