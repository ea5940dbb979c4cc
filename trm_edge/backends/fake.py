"""A backend without a model: what users test their own code against, and we the loop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import Backend, HaltingLogits
from trm_edge.config import ModelConfig
from trm_edge.errors import BackendError

FAKE_CONFIG = ModelConfig(
    hidden_size=4,
    num_heads=1,
    expansion=1.0,
    L_layers=1,
    H_cycles=1,
    L_cycles=1,
    halt_max_steps=16,
    no_ACT_continue=True,
    mlp_t=True,
    pos_encodings="none",
    puzzle_emb_ndim=0,
    puzzle_emb_len=0,
    seq_len=81,
    vocab_size=11,
    num_puzzle_identifiers=1,
    rms_norm_eps=1e-5,
    rope_theta=10000.0,
)


class FakeBackend(Backend):
    """Echoes its tokens and halts each puzzle after a number of steps that they decide.

    The puzzle with tokens t takes ``1 + sum(t) % halt_max_steps`` steps; its carry counts the
    steps, so a slot that was not reset, or reset too often, gives a wrong answer to the caller.

    >>> from trm_edge import Puzzle, Solver
    >>> backend = FakeBackend()
    >>> with Solver(backend, batch=2) as solver:
    ...     [s.steps for s in solver.solve([Puzzle(np.ones(81, np.int32))])]
    [2]
    """

    name = "fake"

    def __init__(self, config: ModelConfig = FAKE_CONFIG) -> None:
        self.config = config
        self.steps_run = 0
        self.slot_steps_run = 0
        self._age: NDArray[np.int32] = np.zeros(0, np.int32)
        self._tokens: NDArray[np.int32] = np.zeros((0, config.seq_len), np.int32)

    def start(self, slots: int) -> None:
        self._age = np.full(slots, -1, np.int32)

    def steps_needed(self, tokens: NDArray[np.int32]) -> NDArray[np.int32]:
        """(B, L) tokens to (B,) steps."""
        steps: NDArray[np.int32] = 1 + tokens.sum(-1) % self.config.halt_max_steps
        return steps.astype(np.int32)

    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        if tokens.shape != (len(self._age), self.config.seq_len):
            raise BackendError(
                f"tokens must be ({len(self._age)}, {self.config.seq_len}), "
                f"but got {tokens.shape}. Call start() with the number of slots first."
            )
        self._age[reset] = 0
        if (self._age < 0).any():
            raise BackendError("a slot was stepped before it was reset once.")
        self._age += 1
        self._tokens = tokens.copy()
        self.steps_run += 1
        self.slot_steps_run += len(tokens)
        q = (self._age - self.steps_needed(tokens) + 0.5).astype(np.float32)
        return HaltingLogits(q, np.zeros_like(q))

    def logits(self, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        tokens = self._tokens[slots]
        logits = np.zeros((*tokens.shape, self.config.vocab_size), np.float32)
        np.put_along_axis(logits, tokens[:, :, None], 1.0, axis=-1)
        return logits

    def carry(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        shape = (len(self._age), self.config.carry_len, self.config.hidden_size)
        state = np.broadcast_to(self._age[:, None, None], shape).astype(np.float32)
        return state, state

    def compact(self, slots: NDArray[np.int64]) -> None:
        self._age, self._tokens = self._age[slots], self._tokens[slots]
