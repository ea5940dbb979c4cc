from __future__ import annotations

import pytest

from trm_edge.evaluation.statistics import mcnemar_exact, paired_drop, wilson_interval


def test_the_interval_of_the_drop_shrinks_with_puzzles() -> None:
    low, high = paired_drop(0, 0, 100)
    assert low < 0 < high
    assert paired_drop(0, 0, 10_000)[1] < high / 50
    assert paired_drop(30, 10, 1000)[0] > 0
    low, high = paired_drop(7, 3, 500)
    assert paired_drop(3, 7, 500) == pytest.approx((-high, -low))


def test_wilson_interval_against_known_values() -> None:
    assert wilson_interval(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson_interval(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("lost", "gained", "p"), [(0, 0, 1.0), (1, 0, 1.0), (0, 5, 0.0625), (10, 2, 0.03857)]
)
def test_mcnemar_against_known_values(lost: int, gained: int, p: float) -> None:
    assert mcnemar_exact(lost, gained) == pytest.approx(p, abs=1e-5)
    assert mcnemar_exact(gained, lost) == pytest.approx(p, abs=1e-5)


def test_mcnemar_holds_for_any_number_of_flips() -> None:
    assert mcnemar_exact(600, 600) == 1.0
    assert mcnemar_exact(1951, 0) == 0.0
    assert mcnemar_exact(1100, 1000) == pytest.approx(0.0307, abs=1e-3)
