"""Recording of a model's answers at every step, by one fixed-length run over all puzzles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import Backend
from trm_edge.config import ModelConfig
from trm_edge.errors import BackendError
from trm_edge.evaluation.vectors import ParityVectors, halting_steps
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solver import Solver
from trm_edge.progress import Metered, Track, silent
from trm_edge.puzzle import Puzzle, Tokens, token_dtype, unknown_label
from trm_edge.puzzle_table import PuzzleTable
from trm_edge.tasks.base import Entry

CARRY_PUZZLES = 64  # number of puzzles whose carries are recorded, at one position each


def record_vectors(
    backend: Backend,
    puzzle_embeddings: PuzzleTable | None,
    puzzles: Sequence[Puzzle],
    labels: Tokens,
    *,
    batch: int = 32,
    carry_puzzles: int = CARRY_PUZZLES,
    track: Track = silent,
    description: str = "solving",
) -> ParityVectors:
    """Run every puzzle for all ``halt_max_steps`` steps and record each step's answer.

    Args:
        backend: the engine, not yet loaded.
        puzzle_embeddings: table (N, E); None where the model has none.
        puzzles: n puzzles.
        labels: right answers (n, L), with :func:`~trm_edge.puzzle.unknown_label` where the answer
            is not known.
        batch: number of slots.
        carry_puzzles: number of puzzles whose carries are recorded.
        track: reports progress.
        description: label of the progress.

    Raises:
        ConfigError: the puzzle-embedding table does not fit the model.
        PuzzleError: a puzzle does not fit the model.
        BackendError: the engine failed, or its halting logits are not finite.
    """
    config = backend.config
    token_type = token_dtype(config.vocab_size)
    count = len(puzzles)
    steps = config.halt_max_steps
    predictions = np.zeros((count, steps, config.seq_len), token_type)
    q_halt = np.zeros((count, steps), np.float32)
    q_continue = np.zeros((count, steps), np.float32)
    carries = _CarryRecorder(backend, min(carry_puzzles, count))
    solver = Solver(
        backend,
        puzzle_embeddings,
        halting=HaltingRule.from_config(config, "fixed"),
        batch=batch,
        trace=True,
        watch=carries.record,
    )
    with solver:
        solutions = Metered(solver.solve(puzzles), "puzzles", lambda: solver.slot_steps / steps)
        for solution in track(solutions, description, count):
            if solution.trajectory is not None:
                predictions[solution.index] = solution.trajectory
            q_halt[solution.index] = solution.q_halt
            q_continue[solution.index] = solution.q_continue
    if not (np.isfinite(q_halt).all() and np.isfinite(q_continue).all()):
        raise BackendError(
            f"{backend.describe()} computed halting logits that are not finite numbers (NaN or "
            "infinity): the step graph or its weights are damaged. Export the checkpoint again."
        )
    return ParityVectors(
        tokens=np.stack([puzzle.tokens for puzzle in puzzles]).astype(token_type),
        identifiers=np.array([puzzle.identifier for puzzle in puzzles], np.int32),
        labels=labels,
        predictions=predictions,
        q_halt=q_halt,
        q_continue=q_continue,
        halting_steps=halting_steps(HaltingRule.from_config(config), q_halt, q_continue),
        carry_positions=carries.positions,
        carries=carries.states,
    )


def labels_of(entries: Sequence[Entry], config: ModelConfig) -> Tokens:
    """Collect the right answers of puzzles.

    Args:
        entries: n puzzles.
        config: the model's; determines L and the type.

    Returns:
        Answers (n, L), with :func:`~trm_edge.puzzle.unknown_label` where there is none.
    """
    dtype = token_dtype(config.vocab_size)
    labels = np.full((len(entries), config.seq_len), unknown_label(dtype), dtype)
    for index, entry in enumerate(entries):
        if entry.answer is not None:
            labels[index] = entry.answer
    return labels


class _CarryRecorder:
    """Records the carries of the first ``count`` puzzles at one random position each."""

    def __init__(self, backend: Backend, count: int) -> None:
        config = backend.config
        self._backend = backend
        self._count = count
        rng = np.random.default_rng(0)
        self.positions = rng.integers(config.carry_len, size=count, dtype=np.int32)
        shape = (count, config.halt_max_steps, config.hidden_size)
        self.states = {name: np.zeros(shape, np.float16) for name in config.recursion.states}

    def record(self, indices: NDArray[np.int64], steps: NDArray[np.int32]) -> None:
        """Copy the carries of the recorded puzzles that are at work; called after every step.

        Args:
            indices: puzzles at work, (B,).
            steps: ACT steps they have taken, (B,).
        """
        slots = np.flatnonzero(indices < self._count)
        if not len(slots):
            return
        puzzles = indices[slots]
        for state, carry in zip(self.states.values(), self._backend.carry(), strict=True):
            state[puzzles, steps[slots] - 1] = carry[slots, self.positions[puzzles]]
