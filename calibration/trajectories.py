"""True carries: the float model runs its own halting loop, and observers watch its layers.

Every input that a layer sees in use can be seen here: all passes of all ACT steps, on carries that
the model itself made. Nothing is stored, so memory does not grow with the number of puzzles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trm_edge.backends.base import HaltingLogits
from trm_edge.calibration.recipe import CalibrationRecipe
from trm_edge.calibration_record import CalibrationCoverage
from trm_edge.errors import CalibrationError, ConfigError
from trm_edge.export.model import Carry, TinyRecursiveModel
from trm_edge.export.torch_backend import TorchBackend
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solver import Solver
from trm_edge.progress import Track, silent
from trm_edge.puzzle import Puzzle

# Takes a layer's input (B, ..., K) and the pass of the network within the step, from 0: the call
# site of the layer in the step graph.
Observer = Callable[[Tensor, int], None]


def linear_layers(model: TinyRecursiveModel) -> dict[str, nn.Linear]:
    """The network's matrices by the names that the step graph gives them, in order of use."""
    return {
        name: module
        for name, module in model.L_level.named_modules()
        if isinstance(module, nn.Linear)
    }


def run_trajectories(
    model: TinyRecursiveModel,
    puzzle_embeddings: NDArray[np.float32] | None,
    puzzles: Sequence[Puzzle],
    observers: Mapping[str, Observer],
    recipe: CalibrationRecipe,
    *,
    track: Track = silent,
    what: str = "calibrating",
) -> CalibrationCoverage:
    """Run every puzzle through all ACT steps; observers see what the recipe looks at.

    Raises:
        CalibrationError: there are no puzzles.
        ConfigError: the recipe looks at steps or passes that the model does not have.
    """
    if not puzzles:
        raise CalibrationError("there are no calibration puzzles; pass some with --calibration.")
    config = model.config
    steps = [
        k for k in range(1, config.halt_max_steps + 1) if not recipe.steps or k in recipe.steps
    ]
    passes = [k for k in range(config.network_passes) if not recipe.passes or k in recipe.passes]
    if not steps or not passes:
        raise ConfigError(
            f"the recipe looks at steps {recipe.steps} and passes {recipe.passes}, but the model "
            f"has steps 1..{config.halt_max_steps} and passes 0..{config.network_passes - 1}."
        )
    backend = _WatchedBackend(model, recipe)
    solver = Solver(
        backend,
        puzzle_embeddings,
        halting=HaltingRule.from_config(config, "fixed"),
        batch=recipe.batch,
    )
    with solver, backend.watching(observers):
        for _ in track(solver.solve(puzzles), what, len(puzzles)):
            pass
    seen = len(puzzles) * len(steps)
    return CalibrationCoverage(len(puzzles), seen, seen * len(passes))


class _WatchedBackend(TorchBackend):
    """Knows which step and pass a layer's input belongs to: in fixed mode all slots are alike."""

    def __init__(self, model: TinyRecursiveModel, recipe: CalibrationRecipe) -> None:
        super().__init__(model)
        self.recipe = recipe
        self.step_number = 0
        self._generator = torch.Generator().manual_seed(recipe.seed)

    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        self.step_number = 1 if reset.all() else self.step_number + 1
        if self.recipe.carries == "random":
            shape = (len(tokens), self.config.carry_len, self.config.hidden_size)
            self._carry = Carry(
                torch.randn(shape, generator=self._generator),
                torch.randn(shape, generator=self._generator),
            )
            reset = np.zeros_like(reset)
        return super().step(tokens, puzzle_embedding, reset)

    @contextmanager
    def watching(self, observers: Mapping[str, Observer]) -> Iterator[None]:
        layers = linear_layers(self.model)
        handles = [
            layers[name].register_forward_pre_hook(self._hook(observer))
            for name, observer in observers.items()
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _hook(self, observer: Observer) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        calls = 0

        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            nonlocal calls
            site = calls % self.config.network_passes
            calls += 1
            if self.recipe.looks_at(self.step_number, site):
                observer(inputs[0], site)

        return hook
