from __future__ import annotations

from trm_edge.evaluation.decimals import decimals_apart, number


def test_figures_get_the_decimals_that_tell_them_from_a_limit() -> None:
    assert decimals_apart([1.2], [0.5], 1) == 1
    assert decimals_apart([0.5002, 3.0], [0.5], 1) == 4
    assert decimals_apart([0.5], [0.5, 7.0], 1) == 1
    assert decimals_apart([0.5 + 1e-12], [0.5], 1) == 1  # rounding of the machine, no difference
    assert decimals_apart([1e-7], [0.0], 2) == 6  # never more


def test_numbers_have_no_negative_zero() -> None:
    assert number(-0.001, 2) == "0.00"
    assert number(-0.001, 2, signed=True) == "+0.00"
