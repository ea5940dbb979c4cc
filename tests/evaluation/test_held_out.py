from __future__ import annotations

from pathlib import Path

import numpy as np

from trm_edge.bundle import Bundle
from trm_edge.evaluation.held_out import solve_held_out


def test_the_first_puzzles_are_solved_again(toy_bundle: Path) -> None:
    bundle = Bundle.open(toy_bundle)
    run = solve_held_out(bundle, puzzles=3, threads=1)
    assert (run.target, run.precision) == ("cpu", "int8")
    assert "ONNX Runtime" in run.engine
    np.testing.assert_array_equal(run.reference.tokens, bundle.parity().tokens[:3])
    assert run.report().puzzles == 3
