from __future__ import annotations

from tests.calibration.qat.toys import toy_entries
from tests.toys import BASE, toy_model, toy_table
from trm_edge.calibration.qat.labels import answers_to_learn
from trm_edge.export.torch_backend import TorchBackend
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solver import Solver


def test_the_models_own_answer_takes_the_place_of_an_unknown_one() -> None:
    model = toy_model(BASE)
    table = toy_table(BASE)
    entries = toy_entries()
    rule = HaltingRule.from_config(BASE, "fixed")
    with Solver(TorchBackend(model), table, halting=rule) as solver:
        own = next(solver.solve([entries[0].puzzle])).answer
    labels = answers_to_learn(model, table, entries, batch=4).numpy()
    assert (labels[0] == own).all()
    for entry, label in zip(entries[1:], labels[1:], strict=True):
        assert entry.answer is not None
        assert (label == entry.answer).all()
