"""A backend without a model, to test the loop and code that uses it."""

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
    """Returns each puzzle's tokens as its answer, after a number of steps computed from them.

    The puzzle with tokens t takes ``1 + sum(t) % halt_max_steps`` steps. Its carry counts the
    steps, so a slot that was not reset, or reset too often, halts at the wrong step.

    Args:
        config: shapes of the model that it stands for.

    >>> from trm_edge import Puzzle, Solver
    >>> backend = FakeBackend()
    >>> with Solver(backend, batch=2) as solver:
    ...     [s.steps for s in solver.solve([Puzzle(np.ones(81, np.int32))])]
    [2]
    """

    name = "fake"
    can_add_slots = True

    def __init__(self, config: ModelConfig = FAKE_CONFIG) -> None:
        self.config = config
        self.steps_run = 0
        self.slot_steps_run = 0
        self._age: NDArray[np.int32] = np.zeros(0, np.int32)
        self._tokens: NDArray[np.int32] = np.zeros((0, config.seq_len), np.int32)

    def start(self, slots: int) -> None:
        """Prepare slots, none of them reset.

        Args:
            slots: B, the number of puzzles worked on at once.
        """
        self._age = np.full(slots, -1, np.int32)

    def steps_needed(self, tokens: NDArray[np.int32]) -> NDArray[np.int32]:
        """Compute how many steps puzzles take.

        Args:
            tokens: (B, L) int32.

        Returns:
            (B,) int32.
        """
        steps: NDArray[np.int32] = 1 + tokens.sum(-1) % self.config.halt_max_steps
        return steps.astype(np.int32)

    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        """Advance all slots by one step.

        Args:
            tokens: (B, L) int32.
            puzzle_embedding: ignored.
            reset: (B,) bool; True where a slot starts a puzzle.

        Returns:
            q_halt: negative until the slot's last step, then 0.5 and rising by 1 a step.

        Raises:
            BackendError: the shape is wrong, or a slot was never reset.
        """
        if tokens.shape != (len(self._age), self.config.seq_len):
            raise BackendError(
                f"tokens must be ({len(self._age)}, {self.config.seq_len}), "
                f"but got {tokens.shape}. Call start() with the number of slots first."
            )
        self._age[reset] = 0
        if (self._age < 0).any():
            raise BackendError("a slot was stepped before its first reset.")
        self._age += 1
        self._tokens = tokens.copy()
        self.steps_run += 1
        self.slot_steps_run += len(tokens)
        q = (self._age - self.steps_needed(tokens) + 0.5).astype(np.float32)
        return HaltingLogits(q, np.zeros_like(q))

    def logits(self, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the one-hot code of the tokens.

        Args:
            slots: (n,) int64, indices of slots.

        Returns:
            (n, L, V) float32.
        """
        tokens = self._tokens[slots]
        logits = np.zeros((*tokens.shape, self.config.vocab_size), np.float32)
        np.put_along_axis(logits, tokens[..., None].astype(np.int64), 1.0, axis=-1)
        return logits

    def carry(self) -> tuple[NDArray[np.float32], ...]:
        """Return the number of steps since the last reset as ``z_H`` and ``z_L``.

        Returns:
            (B, P + L, D) float32 each.
        """
        shape = (len(self._age), self.config.carry_len, self.config.hidden_size)
        state = np.broadcast_to(self._age[:, None, None], shape).astype(np.float32)
        return state, state

    def compact(self, slots: NDArray[np.int64]) -> None:
        """Continue with some of the slots.

        Args:
            slots: (n,) int64, indices of the slots that remain, in their new order.
        """
        self._age = self._age[slots]
        self._tokens = self._tokens[slots]
