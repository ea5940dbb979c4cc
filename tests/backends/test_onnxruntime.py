from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from tests.backends.perturbed import perturbed
from tests.toys import BASE, FAMILY, toy_model, toy_table, toy_tokens
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.errors import BackendError, ConfigError
from trm_edge.export.step_graph import step_graph
from trm_edge.export.torch_backend import TorchBackend
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle
from trm_edge.step import CarryType


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "step.onnx"
    onnx.save(step_graph(toy_model(BASE)), path)
    return path


def test_remaining_slots_continue_as_before(graph: Path) -> None:
    table = toy_table(BASE)
    tokens = toy_tokens(BASE, 4)
    assert table is not None
    embedding = table[[0, 1, 2, 0]]
    remaining = np.array([2, 0])
    for backend in (OnnxRuntimeBackend(graph, BASE), TorchBackend(toy_model(BASE))):
        with backend:
            backend.start(4)
            backend.step(tokens, embedding, np.ones(4, bool))
            all_slots = backend.step(tokens, embedding, np.zeros(4, bool))
            backend.start(4)
            backend.step(tokens, embedding, np.ones(4, bool))
            backend.compact(remaining)
            fewer = backend.step(tokens[remaining], embedding[remaining], np.zeros(2, bool))
            np.testing.assert_allclose(fewer.q_halt, all_slots.q_halt[remaining], atol=1e-5)
            assert backend.logits(np.array([1])).shape == (1, BASE.seq_len, BASE.vocab_size)


def test_describes_its_provider_and_is_loaded_once(graph: Path) -> None:
    backend = OnnxRuntimeBackend(graph, BASE, threads=1)
    assert "CPUExecutionProvider" in backend.describe()
    with backend, backend:
        pass
    backend.deactivate()
    with pytest.raises(BackendError, match="not active: use it in a with statement"):
        backend.step(toy_tokens(BASE, 1), None, np.ones(1, bool))


def test_a_graph_of_another_model(graph: Path) -> None:
    longer = replace(BASE, seq_len=10)
    with pytest.raises(BackendError, match=r"in its inputs: expected tokens \(B, 10\)"):
        OnnxRuntimeBackend(graph, longer).activate()
    with pytest.raises(BackendError, match="breaks the step contract"):
        OnnxRuntimeBackend(graph, BASE, carry="float16").activate()


def test_a_file_that_is_not_a_graph(tmp_path: Path) -> None:
    path = tmp_path / "step.onnx"
    path.write_bytes(b"not a graph")
    with pytest.raises(BackendError, match=r"step\.onnx is not a step graph that is safe to load"):
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


@pytest.mark.parametrize("slots", [4, 7])
def test_shares_compute_what_one_run_does(
    slots: int, graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trm_edge.backends.shares._SHARE", 1)  # one slot a share
    table = toy_table(BASE)
    tokens = toy_tokens(BASE, slots)
    assert table is not None
    embedding = table[np.arange(slots) % len(table)]
    results = []
    for threads in (1, 2):
        with OnnxRuntimeBackend(graph, BASE, threads=threads) as backend:
            backend.start(slots)
            for step in range(3):
                reset = np.full(slots, step == 0)
                reset[-1] |= step == 1
                halting = backend.step(tokens, embedding, reset)
            logits = backend.logits(np.arange(slots))
            results.append([*halting, logits, *backend.carry()])
    for alone, shared in zip(*results, strict=True):
        np.testing.assert_allclose(shared, alone, atol=1e-6)


def test_a_failed_share_is_a_backend_error(graph: Path) -> None:
    with OnnxRuntimeBackend(graph, BASE, threads=2) as backend:
        backend.start(4)
        with pytest.raises(BackendError, match="ONNX Runtime failed in"):
            backend.step(toy_tokens(BASE, 4), np.zeros((4, 3), np.float32), np.ones(4, bool))


def test_a_graph_that_was_changed_before_the_shares_load_it_says_so_alone(graph: Path) -> None:
    sha256 = hashlib.sha256(graph.read_bytes()).hexdigest()
    with OnnxRuntimeBackend(graph, BASE, threads=2, sha256=sha256) as backend:
        backend.start(4)
        with graph.open("r+b") as file:
            file.write(b"changed")
        with pytest.raises(BackendError, match=r"^\S+step\.onnx was changed after the bundle"):
            backend.step(toy_tokens(BASE, 4), toy_table(BASE), np.ones(4, bool))


@pytest.mark.parametrize("threads", [-1, 100_000])
def test_a_number_of_threads_is_bounded_before_any_is_started(graph: Path, threads: int) -> None:
    with pytest.raises(ConfigError, match="threads must be a whole number from 0 to"):
        OnnxRuntimeBackend(graph, BASE, threads=threads)


@pytest.mark.parametrize("carry", ["float32", "float16"])
@pytest.mark.parametrize("name", ["trm", "hrm", "trm-singlez", "trm-hier6"])
def test_starts_and_noise_are_those_of_pytorch(name: str, carry: CarryType, tmp_path: Path) -> None:
    config = {"trm": BASE, **FAMILY}[name]
    model = toy_model(config)
    path = tmp_path / "step.onnx"
    onnx.save(step_graph(model, carry), path)
    puzzles = perturbed([Puzzle(tokens) for tokens in toy_tokens(config, 9)], config)
    fixed = HaltingRule.from_config(config, "fixed")
    solutions = []
    for backend in (OnnxRuntimeBackend(path, config, carry=carry), TorchBackend(model)):
        with Solver(backend, toy_table(config), batch=4, halting=fixed) as solver:
            solutions.append(list(solver.solve(puzzles, ordered=True)))
    tolerance = 1e-4 if carry == "float32" else 3e-2
    for actual, expected in zip(*solutions, strict=True):
        np.testing.assert_allclose(actual.q_halt, expected.q_halt, atol=tolerance)


def test_the_initial_states_are_read_from_the_graph(graph: Path) -> None:
    states = OnnxRuntimeBackend(graph, BASE).initial_states()
    model = toy_model(BASE)
    assert list(states) == list(BASE.recursion.states)
    for name, vector in states.items():
        np.testing.assert_array_equal(vector, model.initial_state(name).numpy())


@pytest.mark.parametrize("name", list(FAMILY))
def test_the_state_of_the_answer_has_a_mean_square_of_1(name: str, tmp_path: Path) -> None:
    """So a sigma of noise is relative to it, whatever the model."""
    config = FAMILY[name]
    path = tmp_path / "step.onnx"
    onnx.save(step_graph(toy_model(config)), path)
    puzzles = [Puzzle(tokens) for tokens in toy_tokens(config, 3)]
    backend = OnnxRuntimeBackend(path, config)
    answer = config.recursion.states.index(config.recursion.answer)
    squares = []

    def watch(indices: NDArray[np.int64], steps: NDArray[np.int32]) -> None:
        squares.append(np.square(backend.carry()[answer]).mean(-1))

    with Solver(backend, toy_table(config), batch=3, watch=watch) as solver:
        list(solver.solve(puzzles))
    np.testing.assert_allclose(np.concatenate(squares), 1, rtol=1e-2)
