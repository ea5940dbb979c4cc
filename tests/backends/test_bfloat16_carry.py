"""Carries in bfloat16: the rounding itself, and that only carries are rounded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from trm_edge.backends.bfloat16_carry import Bfloat16CarryBackend, rounded_to_bfloat16
from trm_edge.bundle import Bundle


def test_rounds_as_pytorch_does() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((4, 50, 8)).astype(np.float32)
    ties = np.array([1.00390625, 1.01171875, -1.00390625, 0.0], np.float32)
    for array in (values, values[:, ::2], values * np.float32(1e30), ties):
        expected = torch.from_numpy(np.ascontiguousarray(array)).bfloat16().float().numpy()
        np.testing.assert_array_equal(rounded_to_bfloat16(array), expected)


def test_both_carries_are_rounded_after_every_step(toy_bundle: Path) -> None:
    bundle = Bundle.open(toy_bundle)
    assert bundle.manifest.float32 is not None
    vectors = bundle.parity()
    tokens = vectors.tokens[:3].astype(np.int32)
    table = bundle.puzzle_embeddings()
    embedding = None if table is None else np.asarray(table[vectors.identifiers[:3]])
    graph = bundle.path / bundle.manifest.float32
    with Bfloat16CarryBackend(graph, bundle.config) as backend:
        backend.start(3)
        for reset in (True, False):
            backend.step(tokens, embedding, np.full(3, reset))
            for carry in backend.carry():
                np.testing.assert_array_equal(carry, rounded_to_bfloat16(carry))
                assert np.any(carry)
