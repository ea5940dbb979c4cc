"""Rows that are recoloured and moved as bytes are those that are encoded anew."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trm_edge.arc.augmentation import Augmentation
from trm_edge.arc.canvases import PairCanvases
from trm_edge.arc.encoding import encode
from trm_edge.arc.task import Pair

AUGMENTATION = Augmentation(0, "0987654321")


@settings(max_examples=50)
@given(
    st.sampled_from([(1, 1), (1, 30), (30, 1), (30, 30), (7, 12), (29, 29)]),
    st.sampled_from([(1, 1), (4, 30), (30, 4), (12, 7)]),
    st.integers(0, 7),
    st.data(),
)
def test_bytes_are_the_encoding(
    input_shape: tuple[int, int], output_shape: tuple[int, int], transform: int, data: st.DataObject
) -> None:
    random = np.random.default_rng(0)
    question = random.integers(0, 10, input_shape).astype(np.uint8)
    answer = random.integers(0, 10, output_shape).astype(np.uint8)
    (pair,) = PairCanvases([Pair(question, answer)]).transformed(transform)
    row = data.draw(st.integers(0, pair.free_rows))
    column = data.draw(st.integers(0, pair.free_columns))
    augmentation = Augmentation(transform, AUGMENTATION.permutation)
    for canvas, grid in zip(pair, (question, answer), strict=True):
        expected = encode(augmentation.apply(grid), row, column)
        assert canvas.moved(row, column, augmentation.token_table) == expected.tobytes()
