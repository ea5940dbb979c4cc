"""Shares of the slots: each is run once, and its outputs land in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.toys import BASE
from trm_edge.backends.share_runner import ShareRunner
from trm_edge.step import step_outputs

OUTPUTS = step_outputs(BASE, "float32")


class CountingSession:
    """Answers with each slot's first token, and keeps the sizes of its shares."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def run(self, names: None, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        tokens = feeds["tokens"]
        self.sizes.append(len(tokens))
        results = []
        for spec in OUTPUTS:
            axes = [axis or 0 for axis in spec.shape[1:]]
            first = tokens[:, 0].reshape(-1, *[1] * len(axes))
            results.append(np.broadcast_to(first, (len(tokens), *axes)).astype(spec.dtype))
        return results


@pytest.mark.parametrize("slots", [4, 5, 9])
def test_outputs_are_those_of_all_slots_in_order(slots: int) -> None:
    session = CountingSession()
    runner = ShareRunner(session, OUTPUTS, BASE, threads=2, elements=200_000)
    tokens = np.arange(slots * BASE.seq_len, dtype=np.int32).reshape(slots, -1)
    outputs = runner.run({"tokens": tokens}, slots)
    runner.close()
    assert sum(session.sizes) == slots
    assert len(session.sizes) == 2
    for spec, output in zip(OUTPUTS, outputs, strict=True):
        assert output.shape[1:] == tuple(axis or 0 for axis in spec.shape[1:])
        first = output.reshape(slots, -1)[:, 0]
        np.testing.assert_array_equal(first, tokens[:, 0].astype(spec.dtype))


def test_an_error_of_the_session_is_raised() -> None:
    class FailingSession:
        def run(self, names: None, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
            raise RuntimeError("out of memory")

    runner = ShareRunner(FailingSession(), OUTPUTS, BASE, threads=2, elements=200_000)
    tokens = np.zeros((4, BASE.seq_len), np.int32)
    with pytest.raises(RuntimeError, match="out of memory"):
        runner.run({"tokens": tokens}, 4)
    runner.close()
