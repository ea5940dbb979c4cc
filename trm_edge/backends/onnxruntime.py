"""A step graph in ONNX Runtime on the CPU: the backend that runs everywhere, CI included.

With few slots, one run uses every thread in each operator. With many, the slots are run in shares
of one thread each: then no operator waits for another thread, and the activations between two
matrix products stay in a core's cache (docs/speed.md has what that is worth).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import NOT_LOADED, Backend, HaltingLogits, carry_specs
from trm_edge.backends.graph_file import GraphFile
from trm_edge.backends.integer_kernels import warn_of_saturation
from trm_edge.backends.onnxruntime_session import (
    CPU_PROVIDER,
    check_contract,
    open_session,
    runtime_version,
)
from trm_edge.backends.share_runner import ShareRunner
from trm_edge.backends.shares import share_elements
from trm_edge.backends.staged_noise import NoiseArrays, StagedNoise
from trm_edge.config import ModelConfig
from trm_edge.errors import BackendError
from trm_edge.graph_guard import initial_states
from trm_edge.step import CarryType, step_inputs, step_outputs
from trm_edge.threads import thread_count

logger = logging.getLogger(__name__)


class StepArrays(NamedTuple):
    """The outputs of a step graph.

    Args:
        carry: (B, P + L, D) each, in the carry's type and the contract's order.
        logits: (B, L, V) float32.
        q_halt: (B,) float32.
        q_continue: (B,) float32.
    """

    carry: tuple[NDArray[Any], ...]
    logits: NDArray[np.float32]
    q_halt: NDArray[np.float32]
    q_continue: NDArray[np.float32]


class OnnxRuntimeBackend(Backend):
    """Runs ``step.onnx`` and passes its carries from run to run as arrays.

    Args:
        graph: the step graph's file.
        config: the model that it computes.
        carry: element type of the carries, as the graph declares it.
        threads: CPU threads; 0 for one per core.
        sha256: of the graph, verified when it is loaded; None: it is not.
        trusted: load the graph unchecked. Only for graphs that this process made: they may have
            operators that no export uses.
        noise: the graph has inputs for noise.

    Raises:
        ConfigError: ``threads`` is negative, or more than this machine should start.
    """

    name = "onnxruntime"
    can_add_slots = True
    provider = CPU_PROVIDER
    _provider_advice = "Install onnxruntime again."

    def __init__(
        self,
        graph: Path,
        config: ModelConfig,
        *,
        carry: CarryType = "float32",
        threads: int = 0,
        sha256: str | None = None,
        trusted: bool = False,
        noise: bool = False,
    ) -> None:
        self.graph = graph
        self.config = config
        self.carry_type = np.dtype(carry)
        self.threads = thread_count(threads)
        self._carry = carry
        self._graph_file = GraphFile(graph, sha256=sha256, trusted=trusted)
        self._inputs = step_inputs(config, carry, noise=noise)
        self._outputs = step_outputs(config, carry)
        self._session: Any = None  # every thread in each operator
        self._share_runner: ShareRunner | None = None  # one thread for each share
        self._states = tuple(spec.name for spec in carry_specs(self._inputs))
        self._carries: tuple[NDArray[Any], ...] = ()
        self._initial: dict[str, NDArray[np.float32]] | None = None
        self._noise = StagedNoise(0) if noise else None
        self._logits: NDArray[np.float32] = np.zeros((0, 0, 0), np.float32)

    def activate(self) -> None:
        """Load the graph; a second call does nothing.

        Raises:
            BackendError: ONNX Runtime is missing or cannot load the graph, or the graph was
                changed, is not safe to load, or breaks the step contract.
        """
        if self._session is not None:
            return
        try:
            self._activate()
        except BaseException:
            self.deactivate()
            raise

    def _activate(self) -> None:
        session = self._load(self.threads)
        providers = session.get_providers()
        if providers[:1] != [self.provider]:
            raise BackendError(
                f"ONNX Runtime cannot use {self.provider} and fell back to {', '.join(providers)}. "
                f"{self._provider_advice}"
            )
        check_contract(session, self.graph, self._inputs, self._outputs)
        self._session = session
        logger.debug("%s, threads %s (0: every core)", self.describe(), self.threads)

    def deactivate(self) -> None:
        """Release the graph, the threads and the carries; a second call does nothing."""
        self._session = None
        self._graph_file.close()
        if self._share_runner is not None:
            self._share_runner.close()
            self._share_runner = None
        self._carries = ()
        self._logits = np.zeros((0, 0, 0), np.float32)

    def start(self, slots: int) -> None:
        """Prepare carries of zeros, which the first step resets.

        Args:
            slots: B, the number of puzzles worked on at once.
        """
        shape = (slots, self.config.carry_len, self.config.hidden_size)
        self._carries = tuple(np.zeros(shape, self.carry_type) for _ in self._states)
        self._start_noise(slots)

    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        """Advance all slots by one ACT step.

        Args:
            tokens: (B, L) int32.
            puzzle_embedding: (B, E) float32; None where the model has no table.
            reset: (B,) bool; True where a slot starts from the initial state.

        Raises:
            BackendError: the backend is not active, or ONNX Runtime failed.
        """
        noise = None if self._noise is None else self._noise.take()
        result = self.run(tokens, puzzle_embedding, reset, self._carries, noise)
        self._carries = result.carry
        self._logits = result.logits
        return HaltingLogits(result.q_halt, result.q_continue)

    def run(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
        carry: Sequence[NDArray[Any]],
        noise: NoiseArrays | None = None,
    ) -> StepArrays:
        """Run the graph once on explicit carries; the backend's own carries do not change.

        Args:
            tokens: (B, L) int32.
            puzzle_embedding: (B, E) float32; None where the model has no table.
            reset: (B,) bool; True where a slot starts from the initial state.
            carry: (B, P + L, D) each, in the carry's type and the contract's order.
            noise: of every slot, for a graph that has inputs for it; None: there is none.

        Raises:
            BackendError: the backend is not active, ONNX Runtime failed, or the graph was changed
                before it was loaded once more for the shares.
        """
        if self._session is None:
            raise BackendError(NOT_LOADED)
        slots = len(tokens)
        shares = None
        if self.threads > 1 and slots >= 2 * self.threads:
            shares = self._shares()
        feeds: dict[str, NDArray[Any]] = {"tokens": tokens, "reset": reset}
        feeds.update(zip(self._states, carry, strict=True))
        if puzzle_embedding is not None:
            feeds["puzzle_embedding"] = puzzle_embedding.astype(self.carry_type, copy=False)
        if self._noise is not None:
            feeds.update((noise or NoiseArrays.none(len(tokens))).feeds())
        try:
            if shares is not None:
                return self._step_arrays(shares.run(feeds, slots))
            return self._step_arrays(self._session.run(None, feeds))
        except Exception as error:
            raise BackendError(f"ONNX Runtime failed in {self.graph}: {error}") from error

    def logits(self, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the token logits of the last step.

        Args:
            slots: (n,) int64, indices of slots.

        Returns:
            (n, L, V) float32.
        """
        return self._logits[slots]

    def carry(self) -> tuple[NDArray[np.float32], ...]:
        """Return the carries after the last step, in the contract's order.

        Returns:
            (B, P + L, D) float32 each; copies or views.
        """
        return tuple(state.astype(np.float32, copy=False) for state in self._carries)

    def initial_states(self) -> dict[str, NDArray[np.float32]]:
        """Read the vectors that the states of a puzzle start from out of the graph.

        Returns:
            (D,) float32 by the name of the state.

        Raises:
            BackendError: the graph cannot be read, or does not hold them.
        """
        if self._initial is None:
            content = self._read()
            if self._session is None:
                self._graph_file.close()
            self._initial = initial_states(content, self.config, str(self.graph))
        return self._initial

    def write_carry(
        self, slots: NDArray[np.int64], states: Mapping[str, NDArray[np.float32]]
    ) -> None:
        """Replace states of some slots.

        Args:
            slots: (n,) int64, indices of slots.
            states: (n, P + L, D) float32 by the name of the state; the others stay as they are.
        """
        for name, values in states.items():
            self._carries[self._states.index(name)][slots] = values

    def noise_follows_reset(self, states: Collection[str]) -> bool:
        """Tell whether the graph has inputs for noise on these states.

        Args:
            states: names of the states that get noise.
        """
        return self._noise is not None and set(states) == {self.config.recursion.answer}

    def add_noise(
        self,
        slots: NDArray[np.int64],
        windows: Mapping[str, NDArray[np.int64]],
        sigma: NDArray[np.float32],
    ) -> None:
        """Add noise in the next step, or to the carry where the graph has no input for it.

        Args:
            slots: (n,) int64, indices of slots.
            windows: (n,) int64 by the name of the state, windows of the noise table.
            sigma: (n,) float32, standard deviations.

        Raises:
            BackendError: a window does not lie in the table.
        """
        if self._noise is not None and self.noise_follows_reset(windows):
            self._noise.put(slots, windows[self.config.recursion.answer], sigma)
        else:
            super().add_noise(slots, windows, sigma)

    def compact(self, slots: NDArray[np.int64]) -> None:
        """Continue with some of the slots.

        Args:
            slots: (n,) int64, indices of the slots that remain, in their new order.
        """
        self._carries = tuple(state[slots] for state in self._carries)
        self._logits = self._logits[slots]
        self._keep_noise(slots)

    def describe(self) -> str:
        """Describe ONNX Runtime's version and provider."""
        return f"ONNX Runtime {runtime_version()}, {self.provider}"

    def _start_noise(self, slots: int) -> None:
        if self._noise is not None:
            self._noise = StagedNoise(slots)

    def _keep_noise(self, slots: NDArray[np.int64]) -> None:
        if self._noise is not None:
            self._noise.keep(slots)

    def _read(self) -> bytes:
        noise = self._noise is not None
        return self._graph_file.read(self.config, self._carry, noise=noise)

    def _load(self, threads: int) -> Any:
        content = self._read()
        first_on_the_cpu = self.provider == CPU_PROVIDER and self._session is None
        if first_on_the_cpu and not self._graph_file.trusted:
            warn_of_saturation(content, self.graph)
        return open_session(content, self.graph, self.provider, threads)

    def _shares(self) -> ShareRunner:
        """What runs shares of the slots, as many at once as there are threads."""
        if self._share_runner is None:
            session = self._load(1)
            elements = share_elements(self._graph_file.size)
            self._share_runner = ShareRunner(
                session, self._outputs, self.config, threads=self.threads, elements=elements
            )
        return self._share_runner

    def _step_arrays(self, outputs: Sequence[NDArray[Any]]) -> StepArrays:
        """Group the outputs of the graph, which come in the contract's order."""
        count = len(self._states)
        logits, q_halt, q_continue = outputs[count:]
        return StepArrays(tuple(outputs[:count]), logits, q_halt, q_continue)
