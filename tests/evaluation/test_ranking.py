from __future__ import annotations

from trm_edge import records
from trm_edge.evaluation import ranking
from trm_edge.evaluation.ranking import LayerRanking, LayerSensitivity

LAYER = LayerSensitivity("layers.0.mlp.down_proj", 1e-4, 2e-4, 0.1, 1, 0)


def decode(text: str) -> LayerRanking:
    return records.decode(text, LayerRanking, ranking.KIND, "it", upgrade=ranking.upgraded)


def test_a_ranking_is_read_as_it_was_written() -> None:
    content = LayerRanking(8, (LAYER,))
    assert decode(records.encode(content, ranking.FORMAT)) == content


def test_the_list_of_the_first_releases_is_read() -> None:
    text = (
        '[{"layer": "layers.0.mlp.down_proj", "first_step": 1e-4, "last_step": 2e-4, '
        '"halting": 0.1, "lost": 1, "gained": 0, "puzzles": 8}]'
    )
    assert decode(text) == LayerRanking(8, (LAYER,))
