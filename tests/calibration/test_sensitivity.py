from __future__ import annotations

from typing import cast

from tests.calibration.test_accuracy_control import HARM, HarmfulRunner, entries
from trm_edge.calibration.sensitivity import QuantizedRunner, rank_layers


def test_layers_are_ranked_by_how_far_they_move_the_carry() -> None:
    ranking = rank_layers(cast(QuantizedRunner, HarmfulRunner(HARM)), entries(80, 2))
    assert [layer.layer for layer in ranking] == ["worst", "bad", "good"]
    assert ranking[0].last_step > ranking[1].last_step > ranking[2].last_step == 0
    assert (ranking[0].lost, ranking[0].gained) == (60, 0)
