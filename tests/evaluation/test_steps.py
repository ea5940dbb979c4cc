from __future__ import annotations

from pathlib import Path

from trm_edge.backends.fake import FakeBackend
from trm_edge.bundle import Bundle
from trm_edge.evaluation.steps import float32_backend, on_cpu, repeated_step


def test_a_step_is_repeated_with_more_slots_than_puzzles(toy_bundle: Path) -> None:
    bundle = Bundle.open(toy_bundle)
    backend = float32_backend(bundle, threads=1)
    assert backend is not None
    assert on_cpu(backend)
    assert not on_cpu(FakeBackend())
    vectors = bundle.parity().first(2)
    with backend:
        step = repeated_step(backend, bundle.puzzle_embeddings(), vectors, slots=3)
        step()
        step()
        z_H, _ = backend.carry()
    assert len(z_H) == 3
