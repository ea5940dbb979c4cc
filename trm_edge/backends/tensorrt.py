"""A TensorRT or TensorRT-RTX engine as a backend, which keeps the carries on the GPU."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import NOT_LOADED, Backend, HaltingLogits
from trm_edge.backends.staged_noise import StagedNoise, warn_of_copied_carries
from trm_edge.backends.tensorrt_buffers import StepBuffers
from trm_edge.backends.tensorrt_launcher import StepLauncher
from trm_edge.config import ModelConfig
from trm_edge.engines.cuda import Cuda
from trm_edge.engines.loaded import LoadedEngine
from trm_edge.errors import BackendError

# From here on a step of half the slots takes about half as long (benchmarks/gpu.py measures it).
OVERLAP_SLOTS = 128


class TensorRTBackend(Backend):
    """Runs a step's engine.

    Args:
        load: loads the engine; called on activation.
        config: the model that it computes.
        cuda: opens the CUDA runtime; called on activation.
        version: describes what runs the engine, for people.
        overlap_slots: number of slots from which on two slot groups overlap: the loop decides about
            one while the other's step runs.
        initial_states: reads the vectors (D,) float32 that the states of a puzzle start from, by
            the name of the state; None where they are not known.
        owns_engine: close the engine on deactivation; False where another backend closes it.
    """

    name = "tensorrt"
    is_parallel = True

    def __init__(
        self,
        load: Callable[[], LoadedEngine],
        config: ModelConfig,
        *,
        cuda: Callable[[], Cuda] = Cuda,
        version: str = "TensorRT",
        overlap_slots: int = OVERLAP_SLOTS,
        initial_states: Callable[[], dict[str, NDArray[np.float32]]] | None = None,
        owns_engine: bool = True,
    ) -> None:
        self.config = config
        self._load = load
        self._open_cuda = cuda
        self._version = version
        self._overlap_slots = overlap_slots
        self._initial_states = initial_states
        self._owns_engine = owns_engine
        self._cuda: Cuda | None = None
        self._engine: LoadedEngine | None = None
        self._second_group: TensorRTBackend | None = None
        self._buffers: StepBuffers | None = None
        self._launcher: StepLauncher | None = None
        self._noise = StagedNoise(0)

    def activate(self) -> None:
        """Open CUDA and load the engine; a second call does nothing.

        Raises:
            BackendError: there is no usable GPU, or the engine cannot be loaded.
            MissingExtraError: cuda-python is not installed.
        """
        if self._engine is None:
            self._cuda = self._open_cuda()
            self._engine = self._load()

    def deactivate(self) -> None:
        """Wait for what runs, free everything and close the engine; a second call does nothing.

        Raises:
            BackendError: the GPU reports an error.
        """
        if self._second_group is not None:
            self._second_group.deactivate()
            self._second_group = None
        try:
            self._free()
        finally:
            engine = self._engine
            self._engine = None
            if engine is not None and self._owns_engine:
                engine.close()

    def slot_groups(self, slots: int) -> tuple[Backend, ...]:
        """Return this backend and, with enough slots, a second one that shares its engine.

        Args:
            slots: total number of slots.

        Raises:
            BackendError: this backend is not active.
        """
        cuda, engine = self._loaded()
        if slots < self._overlap_slots:
            return (self,)
        if self._second_group is None:
            self._second_group = TensorRTBackend(
                lambda: engine,
                self.config,
                cuda=lambda: cuda,
                version=self._version,
                overlap_slots=self._overlap_slots,
                initial_states=self._initial_states,
                owns_engine=False,
            )
            self._second_group.activate()
        return (self, self._second_group)

    def start(self, slots: int) -> None:
        """Prepare buffers; those of an earlier run are used again where they are large enough.

        Args:
            slots: B, the number of puzzles worked on at once.

        Raises:
            BackendError: the engine was built for fewer slots, or there is not enough memory.
        """
        cuda, engine = self._loaded()
        smallest, largest = engine.slots
        if slots > largest:
            raise BackendError(
                f"{engine.path} was built for at most {largest} slots, but got {slots}. Pass "
                f"--batch {largest}, or build it again with: trm-edge build BUNDLE --target "
                f"{engine.path.parent.name} --batch {smallest} {largest} {slots}"
            )
        # An interrupt may have come between the two lines that make both.
        if self._buffers is None or self._launcher is None or slots > self._buffers.capacity:
            self._free()
            self._buffers = StepBuffers(cuda, engine, max(slots, smallest))
            self._launcher = StepLauncher(cuda, engine, self._buffers)
        self._buffers.begin(slots, smallest)
        self._noise = StagedNoise(slots)

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
            BackendError: start() was not called with that many slots, or the step failed.
        """
        self.launch_step(tokens, puzzle_embedding, reset)
        return self.wait_step()

    def launch_step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> None:
        """Enqueue a step, whose result :meth:`wait_step` returns.

        Args:
            tokens: (B, L) int32.
            puzzle_embedding: (B, E) float32; None where the model has no table.
            reset: (B,) bool; True where a slot starts from the initial state.

        Raises:
            BackendError: start() was not called with that many slots, or the step failed.
        """
        buffers, launcher = self._started()
        if len(tokens) != len(buffers.places):
            raise BackendError(
                f"a step must have the {len(buffers.places)} slots that were started, but got "
                f"{len(tokens)}. Call start() with the number of slots first."
            )
        buffers.stage("tokens", tokens)
        if puzzle_embedding is not None:
            buffers.stage("puzzle_embedding", puzzle_embedding)
        buffers.stage_scalars("reset", reset)
        if self._loaded()[1].noise:
            for name, values in self._noise.take().feeds().items():
                buffers.stage_scalars(name, values)
        buffers.upload()
        launcher.launch()
        buffers.end_step()

    def wait_step(self) -> HaltingLogits:
        """Wait for the launched step and return its halting logits.

        Raises:
            BackendError: the step failed.
        """
        buffers, _ = self._started()
        return buffers.halting()

    def logits(self, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        """Download the token logits of the last step.

        Args:
            slots: (n,) int64, indices of slots.

        Returns:
            (n, L, V) float32.
        """
        buffers, _ = self._started()
        return buffers.logits(slots)

    def carry(self) -> tuple[NDArray[np.float32], ...]:
        """Download the carries after the last step, in the contract's order.

        Returns:
            (B, P + L, D) float32 each.
        """
        buffers, _ = self._started()
        return buffers.carry()

    def initial_states(self) -> dict[str, NDArray[np.float32]]:
        """Read the vectors that the states of a puzzle start from.

        Returns:
            (D,) float32 by the name of the state.

        Raises:
            BackendError: they are not known, or cannot be read.
        """
        if self._initial_states is None:
            return super().initial_states()
        return self._initial_states()

    def write_carry(
        self, slots: NDArray[np.int64], states: Mapping[str, NDArray[np.float32]]
    ) -> None:
        """Upload states of some slots; they stay on the GPU from then on.

        Args:
            slots: (n,) int64, indices of slots.
            states: (n, P + L, D) float32 by the name of the state; the others stay as they are.

        Raises:
            BackendError: no slots were started, or the upload failed.
        """
        buffers, _ = self._started()
        buffers.write_carry(slots, states)

    def noise_follows_reset(self, states: Collection[str]) -> bool:
        """Tell whether the engine has inputs for noise on these states.

        Args:
            states: names of the states that get noise.

        Raises:
            BackendError: this backend is not active.
        """
        _, engine = self._loaded()
        return engine.noise and set(states) == {self.config.recursion.answer}

    def add_noise(
        self,
        slots: NDArray[np.int64],
        windows: Mapping[str, NDArray[np.int64]],
        sigma: NDArray[np.float32],
    ) -> None:
        """Add noise in the next step, for which 8 bytes a slot are uploaded.

        An engine without an input for it still gives the same answers: the carries are downloaded
        and uploaded, and a warning says what makes that unnecessary. A bundle on a device cannot be
        exported again there, so it is not refused.

        Args:
            slots: (n,) int64, indices of slots.
            windows: (n,) int64 by the name of the state, windows of the noise table.
            sigma: (n,) float32, standard deviations.

        Raises:
            BackendError: a window does not lie in the table, no slots were started, or a copy
                failed.
        """
        if self.noise_follows_reset(windows):
            self._noise.put(slots, windows[self.config.recursion.answer], sigma)
            return
        _, engine = self._loaded()
        answer = self.config.recursion.answer
        warn_of_copied_carries(engine.path, answer, has_input=engine.noise)
        super().add_noise(slots, windows, sigma)

    def compact(self, slots: NDArray[np.int64]) -> None:
        """Continue with some of the slots.

        Slots that are given up are computed and ignored until half of them are; then the others
        move together.

        Args:
            slots: (n,) int64, indices of the slots that remain, in their new order.
        """
        buffers, _ = self._started()
        _, engine = self._loaded()
        smallest, _ = engine.slots
        buffers.keep(slots, smallest)
        self._noise.keep(slots)

    def describe(self) -> str:
        """Describe compiler, version and GPU."""
        return self._version

    def _loaded(self) -> tuple[Cuda, LoadedEngine]:
        if self._cuda is None or self._engine is None:
            raise BackendError(NOT_LOADED)
        return self._cuda, self._engine

    def _started(self) -> tuple[StepBuffers, StepLauncher]:
        self._loaded()
        if self._buffers is None or self._launcher is None:
            raise BackendError(
                "no slots were started. Call start() with the number of slots first."
            )
        return self._buffers, self._launcher

    def _free(self) -> None:
        """Free everything that a run holds, once the GPU has finished with it."""
        buffers = self._buffers
        launcher = self._launcher
        self._buffers = None
        self._launcher = None
        if buffers is None:
            return
        try:
            buffers.wait()
        finally:
            if launcher is not None:
                launcher.close()  # contexts go before the memory that they are bound to
            buffers.free()
