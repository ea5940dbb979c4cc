from __future__ import annotations

from tests.regression.measurements import measured, red
from trm_edge.regression.baseline import Measurement
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.check import CHECK_IDS, Check
from trm_edge.regression.file_checks import file_checks


def checks(
    current: Measurement, baseline: Measurement | None = None, budgets: Budgets | None = None
) -> dict[str, Check]:
    compared = file_checks(current, baseline or measured(), budgets or Budgets())
    by_id = {check.id: check for check in compared}
    assert set(by_id) <= set(CHECK_IDS)
    return by_id


def test_the_same_is_not_red() -> None:
    assert {check.verdict for check in checks(measured()).values()} == {"ok"}


def test_another_graph_is_red_only_where_it_is_pinned() -> None:
    other = measured(step_sha256="e" * 64)
    pinned = Budgets(pinned=True)
    assert red(checks(other)) == []
    check = checks(other)["graph.identical"]
    assert (check.unit, check.before, check.now, check.budget) == ("flag", 1, 0, None)
    assert check.reason == f"Its sha256 was {'c' * 12} and is {'e' * 12}"
    assert red(checks(other, budgets=pinned)) == ["graph.identical"]
    assert checks(other, budgets=pinned)["graph.identical"].budget == 0
    assert red(checks(measured(), budgets=pinned)) == []


def test_sizes() -> None:
    assert red(checks(measured(sizes={"step_graph": 605_000}))) == []
    compared = checks(measured(sizes={"step_graph": 610_000}))
    assert red(compared) == ["size.step_graph"]
    check = compared["size.step_graph"]
    assert (check.unit, check.before, check.now) == ("bytes", 600_000, 610_000)
    assert check.change is not None
    assert round(check.change.value, 4) == 0.0167
    assert check.change.interval is None
    assert check.budget == 0.01


def test_an_engine_on_one_side_is_not_compared() -> None:
    built = measured(sizes={"step_graph": 600_000, "engine": 7})
    check = checks(built)["size.engine"]
    assert (check.verdict, check.before, check.now) == ("not_compared", None, 7)
    assert check.reason == "Only the bundle has this file"
    check = checks(measured(), built)["size.engine"]
    assert (check.verdict, check.before, check.now) == ("not_compared", 7, None)


def test_layers_back_in_float() -> None:
    current = measured(float_layers=("lm_head", "q_head", "L_level.layers.0.mlp.down"))
    compared = checks(current)
    assert red(compared) == ["layers.float"]
    check = compared["layers.float"]
    assert (check.before, check.now, check.budget) == (2, 3, 0)
    assert check.reason == "Now in float: L_level.layers.0.mlp.down"


def test_layers_of_an_engine_in_a_wider_type() -> None:
    baseline = measured(engine_layers={"a": {"int8": 21}, "b": {"float16": 3}})
    current = measured(engine_layers={"a": {"int8": 19, "float16": 2}, "b": {"int8": 3}})
    compared = checks(current, baseline)
    assert red(compared) == ["layers.engine"]
    check = compared["layers.engine"]
    assert (check.unit, check.before, check.now) == ("layers", 0, 1)
    assert check.reason == "Now in a wider type: a (int8 x 21 before, float16 x 2, int8 x 19 now)"
    assert red(checks(baseline, baseline)) == []
    assert "layers.engine" not in checks(measured(), baseline)
