"""Starts and noise reach the carries of the right slots, at every step."""

from __future__ import annotations

import numpy as np
import pytest

from tests.loop.carrying import INITIAL, CarryingBackend
from trm_edge.backends.fake import FAKE_CONFIG, FakeBackend
from trm_edge.errors import BackendError, PuzzleError
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solver import Solver
from trm_edge.noise import Noise, noise_key, window_at
from trm_edge.puzzle import Puzzle

SHAPE = (FAKE_CONFIG.carry_len, FAKE_CONFIG.hidden_size)
STEPS = 3
FIXED = HaltingRule.from_config(FAKE_CONFIG, "fixed", max_steps=STEPS)


def tokens(number: int) -> np.ndarray:
    return np.full(81, number, np.int32)


def noisy(number: int, sigma: float = 0.5) -> Puzzle:
    return Puzzle(tokens(number), noise=Noise(sigma, noise_key(tokens(number), 0, number)))


def expected_q(puzzle: Puzzle) -> list[float]:
    """Mean of z_H after every step: the start, the noise so far, and 1 a step."""
    total = INITIAL["z_H"]
    logits = []
    for step in range(STEPS):
        if puzzle.noise is not None:
            window = puzzle.noise.windows(step)["z_H"]
            total += puzzle.noise.sigma * float(window_at(window, SHAPE).mean())
        total += 1
        logits.append(total)
    return logits


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_noise_is_the_same_in_every_batch(batch: int) -> None:
    puzzles = [Puzzle(tokens(0)), noisy(1), Puzzle(tokens(2)), noisy(3), noisy(4), noisy(5)]
    with Solver(CarryingBackend(), halting=FIXED, batch=batch) as solver:
        for solution in solver.solve(puzzles):
            expected = expected_q(puzzles[solution.index])
            np.testing.assert_allclose(solution.q_halt, expected, rtol=1e-5)
            np.testing.assert_allclose(solution.q_continue, [21, 22, 23], rtol=1e-6)


def test_a_start_replaces_the_states_that_it_names() -> None:
    start = {"z_H": np.full(SHAPE, -4, np.float32)}
    puzzles = [Puzzle(tokens(0), start=start), Puzzle(tokens(1))]
    with Solver(CarryingBackend(), halting=FIXED, batch=2) as solver:
        first, second = solver.solve(puzzles, ordered=True)
    assert first.q_halt.tolist() == [-3, -2, -1]
    assert first.q_continue.tolist() == [21, 22, 23]
    assert second.q_halt.tolist() == [11, 12, 13]


def test_a_slot_forgets_the_noise_of_its_last_puzzle() -> None:
    with Solver(CarryingBackend(), halting=FIXED, batch=1) as solver:
        _, plain = solver.solve([noisy(1), Puzzle(tokens(2))])
    assert plain.q_halt.tolist() == [11, 12, 13]


def test_noise_of_sigma_0_writes_nothing() -> None:
    with Solver(FakeBackend(), halting=FIXED, batch=1) as solver:
        assert solver.solve_one(noisy(1, sigma=0.0)).steps == STEPS


def test_backends_that_cannot_write_their_carry_say_so() -> None:
    with (
        Solver(FakeBackend(), halting=FIXED) as solver,
        pytest.raises(BackendError, match="the backend fake does not give its initial states"),
    ):
        solver.solve_one(noisy(1))


@pytest.mark.parametrize(
    ("puzzle", "message"),
    [
        (
            Puzzle(tokens(0), start={"z_H": np.zeros((2, 3), np.float32)}),
            r"start\['z_H'\] must have shape \(81, 4\), positions by features, but got \(2, 3\)",
        ),
        (
            Puzzle(tokens(0), start={"z_Q": np.zeros(SHAPE, np.float32)}),
            "start names the state 'z_Q', but the model has z_H, z_L",
        ),
        (
            Puzzle(tokens(0), start={"z_L": np.full(SHAPE, np.nan, np.float32)}),
            r"start\['z_L'\] must hold finite floats, but got float32 with 324 values that are not",
        ),
        (
            Puzzle(tokens(0), start={"z_L": np.zeros(SHAPE, np.int32)}),
            r"start\['z_L'\] must hold finite floats, but got int32",
        ),
        (
            Puzzle(tokens(0), noise=Noise(1.0, b"", ("z_3",))),
            "noise names the state 'z_3', but the model has z_H, z_L",
        ),
    ],
)
def test_starts_that_do_not_fit(puzzle: Puzzle, message: str) -> None:
    with (
        Solver(CarryingBackend()) as solver,
        pytest.raises(PuzzleError, match="puzzle 0: " + message),
    ):
        solver.solve_one(puzzle)
