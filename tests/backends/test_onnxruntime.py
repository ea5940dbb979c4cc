from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.toys import BASE, toy_model, toy_table, toy_tokens
from trm_edge.backends import onnxruntime
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend, shares
from trm_edge.errors import BackendError
from trm_edge.export.step_graph import step_graph
from trm_edge.export.torch_backend import TorchBackend


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "step.onnx"
    onnx.save(step_graph(toy_model(BASE)), path)
    return path


def test_slots_that_are_kept_go_on_as_they_were(graph: Path) -> None:
    table, tokens = toy_table(BASE), toy_tokens(BASE, 4)
    assert table is not None
    rows = table[[0, 1, 2, 0]]
    kept = np.array([2, 0])
    for backend in (OnnxRuntimeBackend(graph, BASE), TorchBackend(toy_model(BASE))):
        with backend:
            backend.start(4)
            backend.step(tokens, rows, np.ones(4, bool))
            everything = backend.step(tokens, rows, np.zeros(4, bool))
            backend.start(4)
            backend.step(tokens, rows, np.ones(4, bool))
            backend.compact(kept)
            fewer = backend.step(tokens[kept], rows[kept], np.zeros(2, bool))
            np.testing.assert_allclose(fewer.q_halt, everything.q_halt[kept], atol=1e-5)
            assert backend.logits(np.array([1])).shape == (1, BASE.seq_len, BASE.vocab_size)


def test_says_what_runs(graph: Path) -> None:
    backend = OnnxRuntimeBackend(graph, BASE, threads=1)
    assert "CPUExecutionProvider" in backend.describe()
    with backend, backend:  # loading twice is harmless
        pass
    backend.deactivate()
    with pytest.raises(BackendError, match="not loaded: use the backend in a with statement"):
        backend.step(toy_tokens(BASE, 1), None, np.ones(1, bool))


def test_a_graph_of_another_model(graph: Path) -> None:
    other = replace(BASE, seq_len=10)
    with pytest.raises(BackendError, match=r"in its inputs: expected tokens \(B, 10\) int32"):
        OnnxRuntimeBackend(graph, other).activate()
    with pytest.raises(BackendError, match="breaks the step contract"):
        OnnxRuntimeBackend(graph, BASE, carry="float16").activate()


def test_a_file_that_is_no_graph(tmp_path: Path) -> None:
    path = tmp_path / "step.onnx"
    path.write_bytes(b"not a graph")
    with pytest.raises(BackendError, match=r"cannot load .*step\.onnx"):
        OnnxRuntimeBackend(path, BASE).activate()


def test_an_input_of_the_wrong_shape(graph: Path) -> None:
    table = toy_table(BASE)
    assert table is not None
    with OnnxRuntimeBackend(graph, BASE) as backend:
        backend.start(1)
        with pytest.raises(BackendError, match="ONNX Runtime failed"):
            backend.step(np.zeros((1, 3), np.int32), table[:1], np.ones(1, bool))


def test_no_logits_before_the_first_step() -> None:
    backend = TorchBackend(toy_model(BASE))
    backend.start(1)
    with pytest.raises(BackendError, match="no logits before the first step"):
        backend.logits(np.array([0]))


@pytest.mark.parametrize("slots", [1, 4, 5, 9, 32])
@pytest.mark.parametrize("threads", [2, 3])
def test_shares_hold_every_slot_once_and_are_even(slots: int, threads: int) -> None:
    parts = shares(slots, threads, BASE, 200_000)
    assert np.concatenate([np.arange(slots)[part] for part in parts]).tolist() == list(range(slots))
    sizes = [part.stop - part.start for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) == min(slots, threads)  # a toy's carry is small: one round


def test_a_large_carry_is_worked_on_in_several_rounds() -> None:
    wide = replace(BASE, hidden_size=512, seq_len=95, num_heads=8)  # 97 rows of 512
    assert len(shares(32, 2, wide, 200_000)) == 8
    assert len(shares(32, 2, replace(wide, seq_len=900), 200_000)) == 32


@pytest.mark.parametrize("slots", [4, 7])
def test_shares_answer_as_one_run_does(
    slots: int, graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxruntime, "_SHARE", 1)  # one slot a share
    table, tokens = toy_table(BASE), toy_tokens(BASE, slots)
    assert table is not None
    rows = table[np.arange(slots) % len(table)]
    seen = []
    for threads in (1, 2):
        with OnnxRuntimeBackend(graph, BASE, threads=threads) as backend:
            backend.start(slots)
            for step in range(3):
                reset = np.full(slots, step == 0)
                reset[-1] |= step == 1
                wait_step = backend.step(tokens, rows, reset)
            every = np.arange(slots)
            seen.append([*wait_step, backend.logits(every), *backend.carry()])
    for alone, shared in zip(*seen, strict=True):
        np.testing.assert_allclose(shared, alone, atol=1e-6)


def test_a_share_that_fails_is_an_error_of_the_backend(graph: Path) -> None:
    with OnnxRuntimeBackend(graph, BASE, threads=2) as backend:
        backend.start(4)
        with pytest.raises(BackendError, match="ONNX Runtime failed in"):
            backend.step(toy_tokens(BASE, 4), np.zeros((4, 3), np.float32), np.ones(4, bool))
