from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.regression.measurements import MACHINE, measured
from trm_edge.errors import BundleError
from trm_edge.evaluation.machine import Machine
from trm_edge.regression.baseline import Answers, Measurement


def test_written_and_read_it_is_the_same(tmp_path: Path) -> None:
    before = measured()
    before.write(tmp_path / "b.json")
    after = Measurement.read(tmp_path / "b.json")
    for name in ("right_fixed", "right_adaptive", "steps"):
        np.testing.assert_array_equal(getattr(after.answers, name), getattr(before.answers, name))
    np.testing.assert_allclose(after.answers.error, before.answers.error, rtol=1e-3)
    np.testing.assert_allclose(
        after.speeds[0].times["1"]["matmul"], before.speeds[0].times["1"]["matmul"], rtol=1e-4
    )
    for name in ("target", "sizes", "float_layers", "engine_layers", "float32_sha256"):
        assert getattr(after, name) == getattr(before, name)
    assert after.speeds[0].machine == MACHINE


def test_another_kind_of_machine_is_added_and_the_same_replaced() -> None:
    other = replace(MACHINE, cpu="another")
    older = measured()
    newer = replace(measured(), speeds=(replace(older.speeds[0], machine=other),))
    both = newer.with_speeds_of(older)
    assert [one.machine.cpu for one in both.speeds] == ["another", MACHINE.cpu]
    assert len(both.with_speeds_of(older).speeds) == 2
    rebuilt = replace(newer, sizes={**newer.sizes, "engine": 5})  # each machine builds its own
    assert len(rebuilt.with_speeds_of(older).speeds) == 2
    # Old times say nothing of a graph that has other work to do.
    for changed in (
        replace(newer, sizes={"step graph": 600_001}),
        replace(newer, float_layers=("lm_head",)),
    ):
        assert changed.with_speeds_of(older).speeds == changed.speeds


def test_machines_of_one_kind() -> None:
    here = Machine.current()
    assert here.same_kind(replace(here, cores=96, python="3.99"))
    assert not here.same_kind(replace(here, cpu="another"))
    assert not here.same_kind(replace(here, instructions=()))
    assert not here.same_kind(replace(here, design="cpu family 0 model 0"))
    assert "ONNX Runtime" in str(here)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "trm-edge.baseline/9"}, "its format is 'trm-edge.baseline/9', expected"),
        ({"answers": {}}, r"is damaged \(KeyError"),
        ({"speeds": [1]}, "is damaged"),
    ],
)
def test_what_is_no_baseline(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "b.json"
    measured().write(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(BundleError, match=message):
        Measurement.read(path)


def test_answers_that_are_too_few(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    measured().write(path)
    content = json.loads(path.read_text())
    content["answers"]["count"] += 100
    path.write_text(json.dumps(content))
    with pytest.raises(BundleError, match="halting steps of"):
        Measurement.read(path)


def test_no_baseline_there(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"there is no baseline at .* --update"):
        Measurement.read(tmp_path / "absent.json")
    (tmp_path / "x").write_text("{")
    with pytest.raises(BundleError, match="cannot be read as a baseline"):
        Measurement.read(tmp_path / "x")


def test_answers_of_puzzles_without_labels_are_held_against_float32() -> None:
    from tests.evaluation.samples import fake_vectors
    from trm_edge.puzzle import unknown_label

    vectors = fake_vectors()
    known = Answers.of(vectors, vectors)
    assert known.right_fixed.all()
    assert known.error.max() < 1e-3
    unknown = replace(
        vectors, labels=np.full_like(vectors.labels, unknown_label(vectors.labels.dtype))
    )
    other = replace(vectors, predictions=vectors.predictions.copy())
    other.predictions[3, :, 7] += 1
    right = Answers.of(unknown, other).right_adaptive
    assert np.flatnonzero(~right).tolist() == [3]
