"""Power of the speed checks beside other load on the machine: measured, so slow.

`benchmarks/regression.py` has the rates, over many runs and faults.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.scripts import injuries, neighbours
from tests.regression.measurements import ids_of
from trm_edge.bundle import Bundle
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.check import regressed
from trm_edge.regression.run import new_baseline, regress_speed

PRODUCTS = 60  # extra work in a step: almost a third of the time with one slot


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("reference_bundle", [("sudoku", "int8")], indirect=True)
def test_a_slowdown_is_detected_beside_other_load_and_nothing_else_is(
    reference_bundle: Path, tmp_path: Path
) -> None:
    good = Bundle.open(reference_bundle)
    extra = injuries().extra_products(PRODUCTS, good.config.hidden_size)
    slow = Bundle.open(injuries().injured(reference_bundle, tmp_path / "slow", extra))
    with neighbours().neighbours():
        baseline = new_baseline(good, "cpu", None)
        for _ in range(3):
            assert regressed(regress_speed(good, baseline, Budgets())) == []
        red = ids_of(regressed(regress_speed(slow, baseline, Budgets())))
        assert "latency.slots_1" in red
