"""The checkpoint itself in PyTorch: the reference that every other backend is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import Backend, HaltingLogits
from trm_edge.errors import BackendError, MissingExtraError

try:
    import torch
except ImportError as error:
    raise MissingExtraError("torch", "export", "The reference backend") from error

if TYPE_CHECKING:
    from trm_edge.export.model import RecursiveModel, StepOutput


class TorchBackend(Backend):
    """Runs a :class:`trm_edge.export.model.RecursiveModel` in its own type on the CPU.

    Args:
        model: the network and heads; put into evaluation mode.
    """

    name = "torch"

    def __init__(self, model: RecursiveModel) -> None:
        self.model = model.eval()
        self.config = model.config
        self._carry = model.initial_carry(0)
        self._output: StepOutput | None = None

    def start(self, slots: int) -> None:
        """Forget everything and hold the initial carry in every slot.

        Args:
            slots: number of puzzles worked on at once.
        """
        self._carry = self.model.initial_carry(slots)
        self._output = None

    def deactivate(self) -> None:
        """Release the carries."""
        self.start(0)

    @torch.inference_mode()
    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        """Run one ACT (adaptive computation time) step.

        Args:
            tokens: (B, L) token ids.
            puzzle_embedding: (B, E) puzzle-embedding rows, or None where the model has no table.
            reset: (B,) slots that start from the initial carry.
        """
        embedding = None
        if puzzle_embedding is not None:
            embedding = torch.from_numpy(puzzle_embedding).to(self.model.dtype)
        output = self.model(
            torch.from_numpy(tokens), embedding, torch.from_numpy(reset), self._carry
        )
        self._output = output
        self._carry = output.carry
        return HaltingLogits(output.q_halt.numpy(), output.q_continue.numpy())

    def logits(self, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the logits of the last step, (n, L, V) float32.

        Args:
            slots: (n,) indices of slots.

        Raises:
            BackendError: no step has run.
        """
        if self._output is None:
            raise BackendError("there are no logits before the first step.")
        logits: NDArray[np.float32] = self._output.logits[torch.from_numpy(slots)].numpy()
        return logits

    def carry(self) -> tuple[NDArray[np.float32], ...]:
        """Return the carries in the contract's order, each (B, P+L, D) float32."""
        return tuple(state.float().numpy() for state in self._carry.values())

    def initial_states(self) -> dict[str, NDArray[np.float32]]:
        """Return the vectors (D,) float32 that the states of a puzzle start from, by name."""
        states = {}
        for name in self.config.recursion.states:
            states[name] = self.model.initial_state(name).float().numpy(force=True)
        return states

    @torch.inference_mode()
    def write_carry(
        self, slots: NDArray[np.int64], states: Mapping[str, NDArray[np.float32]]
    ) -> None:
        """Replace states of some slots.

        Args:
            slots: (n,) indices of slots.
            states: (n, P + L, D) float32 by the name of the state; the others stay as they are.
        """
        indices = torch.from_numpy(slots)
        for name, values in states.items():
            state = self._carry[name].clone()  # the initial carry is one vector, expanded
            state[indices] = torch.from_numpy(values).to(state.dtype)
            self._carry[name] = state

    def compact(self, slots: NDArray[np.int64]) -> None:
        """Keep only some of the slots.

        Args:
            slots: (n,) indices of the slots to keep, in their new order.
        """
        indices = torch.from_numpy(slots)
        self._carry = {name: state[indices] for name, state in self._carry.items()}
        if self._output is not None:
            self._output = self._output._replace(logits=self._output.logits[indices])

    def describe(self) -> str:
        """Name the library, its version and the element type."""
        return f"PyTorch {torch.__version__}, {self.model.dtype}"
