"""Attempts at the same puzzles, recorded in full so that any halting rule can be applied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lib.tries import Outcome
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.evaluation.vectors import halting_steps
from trm_edge.export.model import RecursiveModel
from trm_edge.loop.halting import HaltingRule, confidence
from trm_edge.loop.solver import Solver
from trm_edge.progress import Track
from trm_edge.puzzle import Puzzle
from trm_edge.puzzle_table import PuzzleTable
from trm_edge.tasks.augmentation import PuzzleAugmentation

_BATCH = 32
Array = NDArray[Any]


class Attempts:
    """k attempts at n puzzles, T steps each.

    Args:
        predictions: token ids (k, n, T, L) after every step.
        q_halt: logits (k, n, T), float32.
        q_continue: logits (k, n, T), float32.
        answers: correct token ids (n, L).
    """

    def __init__(
        self, predictions: Array, q_halt: Array, q_continue: Array, answers: Array
    ) -> None:
        self.predictions = predictions
        self.q_halt = q_halt
        self.q_continue = q_continue
        self.right = (predictions == answers[:, None]).all(-1)

    def stop(self, rule: HaltingRule, tries: int) -> tuple[Array, Array, Array]:
        """Apply a halting rule to the first attempts.

        Args:
            rule: the halting rule.
            tries: number of attempts.

        Returns:
            Right, q_halt and number of steps at the step where the rule stops, each (tries, n).
        """
        steps_by_try = []
        for index in range(tries):
            steps = halting_steps(
                rule, self.q_halt[index], self.q_continue[index], self.predictions[index]
            )
            steps_by_try.append(steps)
        steps = np.stack(steps_by_try)
        last = steps[..., None] - 1
        right = np.take_along_axis(self.right[:tries], last, -1)[..., 0]
        q_halt = np.take_along_axis(self.q_halt[:tries], last, -1)[..., 0]
        return right, q_halt, steps

    def best(
        self, rule: HaltingRule, tries: int = 1, min_confidence: float = 1.0
    ) -> dict[str, Any]:
        """Choose among attempts as ``trm_edge.loop.rollouts`` does: the highest q_halt wins.

        Args:
            rule: the halting rule.
            tries: number of attempts, at most.
            min_confidence: no further attempt once sigmoid(q_halt) reaches this.

        Returns:
            Exact match with its 95 % interval, and the mean numbers of steps and tries.
        """
        right, q_halt, steps = self.stop(rule, tries)
        enough = confidence(q_halt) >= min_confidence
        last_try = np.where(enough.any(0), enough.argmax(0), tries - 1)
        tried = np.arange(tries)[:, None] <= last_try
        best_try = np.where(tried, q_halt, -np.inf).argmax(0)
        solved = right[best_try, np.arange(right.shape[1])]
        return Outcome(solved, (steps * tried).sum(0), tried.sum(0)).to_dict()


def attempt_augmentations(
    backend: OnnxRuntimeBackend,
    table: PuzzleTable | None,
    puzzles: list[Puzzle],
    answers: Array,
    augmentations: Sequence[PuzzleAugmentation],
    track: Track,
) -> Attempts:
    """Solve every puzzle in each augmentation, all steps.

    Args:
        backend: the engine.
        table: puzzle embeddings (N, E) float32, or None.
        puzzles: n puzzles.
        answers: their solutions (n, L).
        augmentations: one for each attempt.
        track: reports progress.
    """
    steps = backend.config.halt_max_steps
    shape = (len(augmentations), len(puzzles), steps)
    predictions = np.zeros((*shape, answers.shape[1]), np.uint8)
    q_halt = np.zeros(shape, np.float32)
    q_continue = np.zeros(shape, np.float32)
    fixed = HaltingRule.from_config(backend.config, "fixed")
    for index, augmentation in enumerate(augmentations):
        augmented = []
        for puzzle in puzzles:
            view = augmentation.for_puzzle(puzzle.tokens)
            augmented.append(Puzzle(view.apply(puzzle.tokens), puzzle.identifier))
        with Solver(backend, table, halting=fixed, trace=True) as solver:
            solutions = solver.solve(augmented)
            for solution in track(solutions, f"augmentation {index + 1}", len(augmented)):
                assert solution.trajectory is not None
                view = augmentation.for_puzzle(puzzles[solution.index].tokens)
                for step, prediction in enumerate(solution.trajectory):
                    predictions[index, solution.index, step] = view.invert(prediction)
                q_halt[index, solution.index] = solution.q_halt
                q_continue[index, solution.index] = solution.q_continue
    return Attempts(predictions, q_halt, q_continue, answers)


def attempt_with_noise(
    backend: OnnxRuntimeBackend,
    table: PuzzleTable | None,
    puzzles: list[Puzzle],
    answers: Array,
    model: RecursiveModel,
    noise: tuple[float, float],
    tries: int,
    track: Track,
) -> Attempts:
    """Solve every puzzle several times with noise on the carry, all steps; the first without.

    Args:
        backend: the engine.
        table: puzzle embeddings (N, E) float32, or None.
        puzzles: n puzzles.
        answers: their solutions (n, L).
        model: whose initial carry is used.
        noise: standard deviation at the start, and before every later step.
        tries: number of attempts.
        track: reports progress.
    """
    config = backend.config
    rng = np.random.default_rng(0)
    shape = (tries, len(puzzles), config.halt_max_steps)
    predictions = np.zeros((*shape, answers.shape[1]), np.uint8)
    q_halt = np.zeros(shape, np.float32)
    q_continue = np.zeros(shape, np.float32)
    initial = []
    for state in config.recursion.states:
        initial.append(model.initial_state(state).numpy(force=True).astype(np.float32))

    def with_noise(state: Array, deviation: float) -> Array:
        if deviation:
            state = state + deviation * rng.standard_normal(state.shape, dtype=np.float32)
        return np.ascontiguousarray(state)

    batches = []
    for index in range(tries):
        batches += [(index, start) for start in range(0, len(puzzles), _BATCH)]
    with torch.inference_mode(), backend:
        for index, start in track(batches, f"noise {noise}", len(batches)):
            batch = slice(start, start + _BATCH)
            tokens = np.stack([puzzle.tokens for puzzle in puzzles[batch]])
            rows = None
            if table is not None:
                rows = np.stack([table[puzzle.identifier] for puzzle in puzzles[batch]])
            carry_shape = (len(tokens), config.carry_len, config.hidden_size)
            reset = np.zeros(len(tokens), np.bool_)
            first_noise, step_noise = noise if index else (0.0, 0.0)
            carry = []
            for vector in initial:
                carry.append(with_noise(np.broadcast_to(vector, carry_shape), first_noise))
            for step in range(config.halt_max_steps):
                if step:
                    carry = [with_noise(values, step_noise) for values in carry]
                arrays = backend.run(tokens, rows, reset, carry)
                carry = list(arrays.carry)
                predictions[index, batch, step] = arrays.logits.argmax(-1)
                q_halt[index, batch, step] = arrays.q_halt
                q_continue[index, batch, step] = arrays.q_continue
    return Attempts(predictions, q_halt, q_continue, answers)
