"""What a model answers at every step: recorded once in float32, then by whatever is compared.

A slot's carry does not know the halting rule, so one fixed-length run holds the adaptive run as
its prefix: the answer at the first step at which the rule holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import Backend
from trm_edge.config import ModelConfig
from trm_edge.errors import BundleError
from trm_edge.loop.halting import HaltingRule, steps_unchanged
from trm_edge.loop.solver import Solver
from trm_edge.progress import Track, silent
from trm_edge.puzzle import Puzzle, Tokens, token_dtype, unknown_label
from trm_edge.tasks.base import Entry

CARRY_PUZZLES = 64  # whose carries are kept, one position of each


@dataclass(frozen=True)
class ParityVectors:
    """Answers of one engine to n puzzles over T steps; the arrays of ``parity.npz``.

    Of the first m puzzles the carry is kept too, at one position each: every position of a state
    has the same norm, so the mean of their cosines is that of whole states.
    """

    tokens: Tokens  # (n, L)
    identifiers: NDArray[np.int32]  # (n,)
    labels: Tokens  # (n, L), unknown_label() where the answer is not known
    predictions: Tokens  # (n, T, L)
    q_halt: NDArray[np.float32]  # (n, T)
    q_continue: NDArray[np.float32]  # (n, T)
    halting_steps: NDArray[np.int32]  # (n,), from 1
    carry_positions: NDArray[np.int32]  # (m,) within prefix and cells
    z_H: NDArray[np.float16]  # (m, T, D)
    z_L: NDArray[np.float16]

    def __post_init__(self) -> None:
        n, steps = self.q_halt.shape
        length, width = self.tokens.shape[-1], self.z_H.shape[-1]
        kept = len(self.carry_positions)
        expected = {
            "tokens": (n, length),
            "identifiers": (n,),
            "labels": (n, length),
            "predictions": (n, steps, length),
            "q_continue": (n, steps),
            "halting_steps": (n,),
            "z_H": (kept, steps, width),
            "z_L": (kept, steps, width),
        }
        for name, shape in expected.items():
            found = getattr(self, name).shape
            if found != shape:
                raise BundleError(f"parity vectors: {name} must be {shape}, but is {found}.")

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def labelled(self) -> bool:
        """Whether every answer is known."""
        return bool((self.labels != unknown_label(self.labels.dtype)).all())

    def answers(self, *, adaptive: bool) -> Tokens:
        """(n, L): at the halting step, or after the last."""
        if not adaptive:
            return self.predictions[:, -1]
        rows = np.arange(len(self))
        return self.predictions[rows, self.halting_steps - 1]

    def first(self, count: int) -> ParityVectors:
        """The first puzzles alone."""
        return ParityVectors(**{f.name: getattr(self, f.name)[:count] for f in fields(self)})

    def puzzles(self) -> list[Puzzle]:
        return [
            Puzzle(tokens.astype(np.int32), int(identifier))
            for tokens, identifier in zip(self.tokens, self.identifiers, strict=True)
        ]

    def save(self, path: Path) -> None:
        np.savez_compressed(path, **{f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> ParityVectors:
        """Build from the arrays of ``parity.npz``.

        Raises:
            BundleError: an array is missing or misshapen.
        """
        names = [f.name for f in fields(cls)]
        missing = [name for name in names if name not in arrays]
        if missing:
            raise BundleError(f"parity vectors lack {', '.join(missing)}.")
        return cls(**{name: arrays[name] for name in names})


def record_vectors(
    backend: Backend,
    puzzle_embeddings: NDArray[np.float32] | None,
    puzzles: Sequence[Puzzle],
    labels: Tokens,
    *,
    batch: int = 32,
    carry_puzzles: int = CARRY_PUZZLES,
    track: Track = silent,
    what: str = "answering",
) -> ParityVectors:
    """Run every puzzle for all ``halt_max_steps`` steps and keep each step's answer.

    Args:
        labels: (n, L) known answers, unknown_label() where there is none.
        carry_puzzles: of how many puzzles the carry is kept.
    """
    config = backend.config
    fixed = HaltingRule.from_config(config, "fixed")
    n, length, steps = len(puzzles), config.seq_len, config.halt_max_steps
    predictions = np.zeros((n, steps, length), token_dtype(config.vocab_size))
    q_halt = np.zeros((n, steps), np.float32)
    q_continue = np.zeros((n, steps), np.float32)
    kept = min(carry_puzzles, n)
    positions = np.random.default_rng(0).integers(config.carry_len, size=kept, dtype=np.int32)
    states = np.zeros((2, kept, steps, config.hidden_size), np.float16)

    def keep_carries(indices: NDArray[np.int64], taken: NDArray[np.int32]) -> None:
        slots = np.flatnonzero(indices < kept)
        if len(slots):
            rows = indices[slots]
            for state, carry in zip(states, backend.carry(), strict=True):
                state[rows, taken[slots] - 1] = carry[slots, positions[rows]]

    solver = Solver(
        backend, puzzle_embeddings, halting=fixed, batch=batch, trace=True, watch=keep_carries
    )
    with solver:
        for solution in track(solver.solve(puzzles), what, n):
            if solution.trajectory is not None:
                predictions[solution.index] = solution.trajectory
            q_halt[solution.index] = solution.q_halt
            q_continue[solution.index] = solution.q_continue
    return ParityVectors(
        tokens=np.stack([puzzle.tokens for puzzle in puzzles]).astype(
            token_dtype(config.vocab_size)
        ),
        identifiers=np.array([puzzle.identifier for puzzle in puzzles], np.int32),
        labels=labels,
        predictions=predictions,
        q_halt=q_halt,
        q_continue=q_continue,
        halting_steps=halting_steps(HaltingRule.from_config(config), q_halt, q_continue),
        carry_positions=positions,
        z_H=states[0],
        z_L=states[1],
    )


def labels_of(entries: Sequence[Entry], config: ModelConfig) -> Tokens:
    """Known answers (n, L), with :func:`~trm_edge.puzzle.unknown_label` where there is none.

    Args:
        entries: n puzzles.
        config: the model's; fixes L and the type.
    """
    dtype = token_dtype(config.vocab_size)
    labels = np.full((len(entries), config.seq_len), unknown_label(dtype), dtype)
    for row, entry in enumerate(entries):
        if entry.answer is not None:
            labels[row] = entry.answer
    return labels


def halting_steps(
    rule: HaltingRule,
    q_halt: NDArray[np.float32],
    q_continue: NDArray[np.float32],
    predictions: Tokens | None = None,
) -> NDArray[np.int32]:
    """The step (from 1) at which each of n puzzles stops, from q (n, T) of every step.

    Args:
        predictions: (n, T, L), for a rule that asks whether they change.
    """
    taken = np.arange(1, q_halt.shape[1] + 1, dtype=np.int32)
    same = None if predictions is None else steps_unchanged(predictions)
    stops = rule.halted(np.broadcast_to(taken, q_halt.shape), q_halt, q_continue, same)
    stops[:, -1] = True
    first: NDArray[np.int32] = stops.argmax(1).astype(np.int32)
    return first + 1
