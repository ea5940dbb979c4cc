"""The halting loop against a plain re-statement of the published loop, and its own promises."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from tests.toys import VARIANTS, toy_model, toy_table, toy_tokens
from trm_edge.backends.fake import FAKE_CONFIG, FakeBackend
from trm_edge.errors import BackendError, ConfigError, PuzzleError
from trm_edge.evaluation.recording import record_vectors
from trm_edge.evaluation.vectors import halting_steps
from trm_edge.export.torch_backend import TorchBackend
from trm_edge.loop.halting import HaltingMode, HaltingRule
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle

CELLS = FAKE_CONFIG.seq_len


def fake_puzzles(count: int, seed: int = 0) -> list[Puzzle]:
    rng = np.random.default_rng(seed)
    return [Puzzle(rng.integers(0, 11, CELLS, dtype=np.int32)) for _ in range(count)]


def published_loop(
    name: str, tokens: np.ndarray, identifiers: np.ndarray, batch: int, *, adaptive: bool
) -> dict[int, tuple[int, np.ndarray, list[float]]]:
    """The loop of the published ``trm.py``, slot by slot: (steps, answer, q_halt) by puzzle.

    All slots start halted; halted slots take the next data and the initial state; steps count;
    a slot halts after the last step or, in training, when the rule holds.
    """
    config = VARIANTS[name]
    model, table = toy_model(config), toy_table(config)
    queue = list(range(len(tokens)))
    current: list[int | None] = [None] * batch
    halted = np.ones(batch, bool)
    steps = np.zeros(batch, int)
    history: dict[int, list[float]] = {}
    answers: dict[int, tuple[int, np.ndarray, list[float]]] = {}
    backend = TorchBackend(model)
    backend.start(batch)
    filler = np.zeros(config.seq_len, np.int32)
    while queue or any(index is not None for index in current):
        for slot in range(batch):
            if halted[slot]:
                current[slot] = queue.pop(0) if queue else None
                steps[slot] = 0
        data = np.stack([filler if i is None else tokens[i] for i in current])
        rows = None
        if table is not None:
            rows = np.stack([table[0 if i is None else identifiers[i]] for i in current])
        output = backend.step(data, rows, halted.copy())
        steps += 1
        halted = steps >= config.halt_max_steps
        if adaptive:
            if config.no_ACT_continue:
                halted = halted | (output.q_halt > 0)
            else:
                halted = halted | (output.q_halt > output.q_continue)
        predictions = backend.predictions(np.arange(batch))
        for slot, index in enumerate(current):
            if index is None:
                halted[slot] = True
                continue
            history.setdefault(index, []).append(float(output.q_halt[slot]))
            if halted[slot]:
                answers[index] = (int(steps[slot]), predictions[slot], history[index])
                current[slot] = None
    return answers


@pytest.mark.parametrize("mode", ["adaptive", "fixed"])
@pytest.mark.parametrize("name", ["mlp", "q-continue", "attention-rope", "no-embedding-rope"])
def test_equals_the_published_loop(name: str, mode: HaltingMode) -> None:
    config = VARIANTS[name]
    tokens = toy_tokens(config, 11)
    identifiers = np.arange(11) % config.num_puzzle_identifiers
    expected = published_loop(name, tokens, identifiers, 4, adaptive=mode == "adaptive")
    puzzles = [Puzzle(t, int(i)) for t, i in zip(tokens, identifiers, strict=True)]
    backend = TorchBackend(toy_model(config))
    rule = HaltingRule.from_config(config, mode)
    with Solver(backend, toy_table(config), halting=rule, batch=4) as solver:
        actual = {solution.index: solution for solution in solver.solve(puzzles)}
    assert actual.keys() == expected.keys()
    for index, (steps, answer, q_halt) in expected.items():
        assert actual[index].steps == steps
        np.testing.assert_array_equal(actual[index].answer, answer)
        np.testing.assert_allclose(actual[index].q_halt, q_halt, atol=1e-4)
    if mode == "fixed":
        assert {solution.steps for solution in actual.values()} == {config.halt_max_steps}


def test_toy_models_halt_at_different_steps() -> None:
    """Without this the comparison above would say little."""
    config = VARIANTS["q-continue"]
    steps = {
        steps
        for steps, _, _ in published_loop(
            "q-continue", toy_tokens(config, 11), np.arange(11) % 3, 4, adaptive=True
        ).values()
    }
    assert len(steps) > 1


@pytest.mark.parametrize("batch", [1, 3, 8, 100])
def test_every_puzzle_is_answered_once_with_its_own_steps(batch: int) -> None:
    puzzles = fake_puzzles(50)
    backend = FakeBackend()
    with Solver(backend, batch=batch) as solver:
        solutions = list(solver.solve(puzzles))
    assert sorted(s.index for s in solutions) == list(range(50))
    for solution in solutions:
        tokens = puzzles[solution.index].tokens
        assert solution.steps == backend.steps_needed(tokens[None])[0]
        np.testing.assert_array_equal(solution.answer, tokens)
        assert solution.halted
        assert len(solution.q_halt) == len(solution.q_continue) == solution.steps


def test_no_step_is_spent_on_an_idle_slot() -> None:
    puzzles = fake_puzzles(200)
    backend = FakeBackend()
    with Solver(backend, batch=16) as solver:
        needed = sum(s.steps for s in solver.solve(puzzles))
    assert backend.slot_steps_run == solver.slot_steps == needed


def test_in_order_on_request() -> None:
    with Solver(FakeBackend(), batch=7) as solver:
        assert [s.index for s in solver.solve(fake_puzzles(60), ordered=True)] == list(range(60))


def test_limits_of_steps() -> None:
    rule = HaltingRule.from_config(FAKE_CONFIG, max_steps=5, min_steps=3)
    with Solver(FakeBackend(), halting=rule, batch=4) as solver:
        solutions = list(solver.solve(fake_puzzles(40)))
    assert {s.steps for s in solutions} == {3, 4, 5}
    assert any(not s.halted for s in solutions)
    assert all(s.halted for s in solutions if s.steps < 5)


@pytest.mark.parametrize("unchanged", [1, 3])
def test_stops_where_the_prediction_stands(unchanged: int) -> None:
    """The fake echoes its tokens: its prediction never changes, in whichever slot it is."""
    rule = HaltingRule.from_config(FAKE_CONFIG, "fixed", unchanged=unchanged)
    with Solver(FakeBackend(), halting=rule, batch=4) as solver:
        solutions = list(solver.solve(fake_puzzles(11)))
    assert {s.steps for s in solutions} == {unchanged + 1}
    assert all(s.halted for s in solutions)


def test_unchanged_in_the_loop_as_over_recorded_steps() -> None:
    config = VARIANTS["q-continue"]
    backend, table = TorchBackend(toy_model(config)), toy_table(config)
    puzzles = [Puzzle(tokens) for tokens in toy_tokens(config, 11)]
    vectors = record_vectors(backend, table, puzzles, np.full((11, config.seq_len), 255, np.uint8))
    rule = HaltingRule.from_config(config, "fixed", unchanged=1)
    with Solver(backend, table, halting=rule, batch=3) as solver:
        steps = [solution.steps for solution in solver.solve(puzzles, ordered=True)]
    expected = halting_steps(rule, vectors.q_halt, vectors.q_continue, vectors.predictions)
    assert steps == expected.tolist()
    assert len(set(steps)) > 1


def test_trajectory_on_request_ends_in_the_answer() -> None:
    with Solver(FakeBackend(), batch=4, trace=True) as solver:
        for solution in solver.solve(fake_puzzles(9)):
            assert solution.trajectory is not None
            assert solution.trajectory.shape == (solution.steps, CELLS)
            np.testing.assert_array_equal(solution.trajectory[-1], solution.answer)


def test_no_trajectory_otherwise() -> None:
    with Solver(FakeBackend()) as solver:
        assert next(iter(solver.solve(fake_puzzles(1)))).trajectory is None


def test_takes_puzzles_no_faster_than_it_solves_them() -> None:
    taken = itertools.count()
    puzzles = fake_puzzles(1)

    def endless() -> Iterator[Puzzle]:
        for _ in taken:
            yield puzzles[0]

    with Solver(FakeBackend(), batch=8) as solver:
        solutions = list(itertools.islice(solver.solve(endless()), 100))
    assert len(solutions) == 100
    assert next(taken) <= 100 + 2 * 8


def test_constant_memory_over_a_long_stream() -> None:
    puzzle = Puzzle(np.zeros(CELLS, np.int32))
    with Solver(FakeBackend(), batch=32) as solver:
        stream = solver.solve(itertools.repeat(puzzle, 20_000), ordered=True)
        for _ in itertools.islice(stream, 2_000):
            pass
        tracemalloc.start()
        count = sum(1 for _ in stream)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert count == 18_000
    assert peak < 1_000_000


def test_nothing_in_nothing_out() -> None:
    with Solver(FakeBackend()) as solver:
        assert list(solver.solve([])) == []


@pytest.mark.parametrize(
    ("puzzle", "message"),
    [
        (Puzzle(np.zeros(80, np.int32)), r"puzzle 1: tokens must have shape \(81,\), .* \(80,\)"),
        (Puzzle(np.full(81, 11, np.int32)), r"puzzle 1: token ids must lie in 0\.\.10, .* 11"),
        (Puzzle(np.full(81, -1, np.int32)), r"puzzle 1: token ids must lie in 0\.\.10, .* -1"),
        (Puzzle(np.zeros(81, np.int32), 1), r"puzzle 1: identifier must lie in 0\.\.0, .* 1"),
    ],
)
def test_puzzles_that_do_not_fit(puzzle: Puzzle, message: str) -> None:
    with Solver(FakeBackend()) as solver, pytest.raises(PuzzleError, match=message):
        list(solver.solve([fake_puzzles(1)[0], puzzle]))


def test_misuse() -> None:
    with pytest.raises(ConfigError, match="batch must be 1 or more, but got 0"):
        Solver(FakeBackend(), batch=0)
    config = replace(FAKE_CONFIG, puzzle_emb_ndim=4, num_puzzle_identifiers=2)
    with pytest.raises(ConfigError, match=r"must have shape \(2, 4\), but got None"):
        Solver(FakeBackend(config))
    with pytest.raises(ConfigError, match=r"must have shape \(2, 4\), but got \(3, 4\)"):
        Solver(FakeBackend(config), np.zeros((3, 4), np.float32))


def test_the_fake_refuses_a_slot_that_never_started() -> None:
    backend = FakeBackend()
    backend.start(1)
    tokens = np.zeros((1, CELLS), np.int32)
    with pytest.raises(BackendError, match="before its first reset"):
        backend.step(tokens, None, np.zeros(1, bool))
    with pytest.raises(BackendError, match="number of slots first"):
        backend.step(np.zeros((2, CELLS), np.int32), None, np.ones(2, bool))
