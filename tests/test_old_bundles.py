"""Bundles that older versions wrote stay readable.

``data/bundle-1-*.tar.gz`` were written by the first version: format trm-edge.bundle/1, simulated
accuracy under the key ``twin``, no profiles, the calibration's type under ``kind`` and the ranking
of layers as a list without a format line.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trm_edge.bundle import Bundle


@pytest.fixture(params=["fp32", "int8"])
def old_bundle(request: pytest.FixtureRequest, old_bundles: Path) -> Bundle:
    return Bundle.open(old_bundles / f"toy-{request.param}")


def test_it_solves_as_it_did(old_bundle: Bundle) -> None:
    vectors = old_bundle.parity()
    with old_bundle.solver("cpu", batch=2) as solver:
        solutions = list(solver.solve(vectors.puzzles()[:2], ordered=True))
    assert len(solutions) == 2
    if old_bundle.manifest.targets["cpu"].precision == "fp32":
        assert [solution.steps for solution in solutions] == vectors.halting_steps[:2].tolist()
        for solution, expected in zip(solutions, vectors.answers(adaptive=True), strict=False):
            np.testing.assert_array_equal(solution.answer, expected)


def test_every_record_is_read(old_bundle: Bundle) -> None:
    manifest = old_bundle.manifest
    assert all(target.profile is None for target in manifest.targets.values())
    assert manifest.targets["cpu"].simulated is None
    calibration = old_bundle.calibration()
    sensitivity = old_bundle.sensitivity()
    if manifest.targets["cpu"].precision == "fp32":
        assert calibration is None
        assert sensitivity is None
        return
    simulated = manifest.targets["l4"].simulated
    assert simulated is not None
    assert simulated.puzzles == 8
    assert calibration is not None
    assert calibration.qtype == "int8"
    assert (calibration.coverage.puzzles, calibration.coverage.carries) == (4, 32)
    assert sensitivity is not None
    assert sensitivity.puzzles == 4
    assert "layers.0.self_attn.qkv_proj" in [layer.layer for layer in sensitivity.layers]
