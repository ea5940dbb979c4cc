from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.regression.measurements import MACHINE, measured
from trm_edge.errors import RecordError
from trm_edge.evaluation.machine import Machine
from trm_edge.regression.baseline import Measurement


def test_reading_gives_back_what_was_written(tmp_path: Path) -> None:
    before = measured(engine_layers={"mlp.down": {"int8": 19, "float16": 2}})
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
    assert after.speeds[0].memory_bytes == 20e6
    text = (tmp_path / "b.json").read_text()
    assert Measurement.decode(text, "b.json of a commit").target == "cpu"
    with pytest.raises(RecordError, match=r"b\.json of a commit is not a baseline"):
        Measurement.decode("{", "b.json of a commit")


def test_another_kind_of_machine_is_added_and_the_same_replaced() -> None:
    other = replace(MACHINE, cpu="another")
    older = measured()
    newer = replace(measured(), speeds=(replace(older.speeds[0], machine=other),))
    both = newer.with_speeds_of(older)
    assert [speed.machine.cpu for speed in both.speeds] == ["another", MACHINE.cpu]
    assert both.speed_of(MACHINE) is both.speeds[1]
    assert both.speed_of(replace(MACHINE, cpu="a third")) is None
    assert len(both.with_speeds_of(older).speeds) == 2
    rebuilt = replace(newer, sizes={**newer.sizes, "engine": 5})  # each machine builds its own
    assert len(rebuilt.with_speeds_of(older).speeds) == 2


@pytest.mark.parametrize("change", [{"sizes": {"step_graph": 600_001}}, {"float_layers": ("a",)}])
def test_old_times_of_a_graph_with_other_work_are_dropped(change: dict[str, object]) -> None:
    older = measured()
    other = replace(MACHINE, cpu="another")
    newer = measured(speeds=(replace(older.speeds[0], machine=other),), **change)
    assert newer.with_speeds_of(older).speeds == newer.speeds


def test_machines_of_one_kind() -> None:
    local = Machine.current()
    assert local.same_kind(replace(local, cores=96, python="3.99"))
    assert not local.same_kind(replace(local, cpu="another"))
    assert not local.same_kind(replace(local, instructions=()))
    assert not local.same_kind(replace(local, design="cpu family 0 model 0"))
    assert "ONNX Runtime" in str(local)
