"""The bundled models and puzzles are there and fit each other."""

from __future__ import annotations

import pytest

from trm_edge.errors import ConfigError
from trm_edge.reference import REFERENCES, Split, reference_checkpoint, reference_puzzles

SEQ_LEN = {"sudoku": 81, "maze": 169, "arc": 900}


@pytest.mark.parametrize("task", REFERENCES)
def test_every_reference_has_a_checkpoint_and_puzzles(task: str) -> None:
    assert (reference_checkpoint(task) / "all_config.yaml").is_file()
    splits: tuple[Split, ...] = ("calibration", "held_out", "examples")
    for split in splits:
        path = reference_puzzles(task, split, SEQ_LEN[task])
        assert path is not None
        assert path.exists()


def test_there_is_none_for_other_tasks_and_sizes() -> None:
    assert reference_puzzles("maze", "examples", 900) is None
    assert reference_puzzles("chess", "examples", 64) is None
    with pytest.raises(ConfigError, match="no bundled model for the task 'chess', only for sudoku"):
        reference_checkpoint("chess")
