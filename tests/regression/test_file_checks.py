from __future__ import annotations

from dataclasses import replace

from tests.regression.measurements import measured, red
from trm_edge.regression.baseline import Measurement
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.check import CHECKS, Check
from trm_edge.regression.file_checks import file_checks


def checks(
    now: Measurement, then: Measurement | None = None, budgets: Budgets | None = None
) -> dict[str, Check]:
    then, budgets = then or measured(), budgets or Budgets()
    found = {check.name: check for check in file_checks(now, then, budgets)}
    assert set(found) <= set(CHECKS)
    return found


def test_the_same_is_not_red() -> None:
    assert {check.verdict for check in checks(measured()).values()} == {"ok"}


def test_another_graph_is_red_where_it_is_pinned() -> None:
    other = measured(step_sha256="e" * 64)
    assert red(checks(other)) == []
    assert "another file, allowed any" in checks(other)["step graph"].line
    assert red(checks(other, budgets=Budgets(pinned=True))) == ["step graph"]
    assert red(checks(measured(), budgets=Budgets(pinned=True))) == []


def test_sizes() -> None:
    assert red(checks(measured(sizes={"step graph": 605_000}))) == []
    found = checks(measured(sizes={"step graph": 610_000}))
    assert red(found) == ["size of the step graph"]
    assert found["size of the step graph"].change == "+1.7 %"
    built = measured(sizes={"step graph": 600_000, "engine": 1})
    assert checks(built)["size of the engine"].verdict == "not compared"


def test_layers_back_in_float() -> None:
    now = measured(float_layers=("lm_head", "q_head", "L_level.layers.0.mlp.down"))
    assert red(checks(now)) == ["layers in float"]
    assert "L_level.layers.0.mlp.down" in checks(now)["layers in float"].why


def test_layers_of_an_engine() -> None:
    then = measured(engine_layers={"a": "int8 x 21", "b": "float16 x 3"})
    now = replace(then, engine_layers={"a": "float16 x 2, int8 x 19", "b": "int8 x 3"})
    name = "precision of the engine's layers"
    assert red(checks(now, then)) == [name]
    assert "a (int8 x 21 before, float16 x 2, int8 x 19 now)" in checks(now, then)[name].why
    assert red(checks(then, then)) == []
