"""Calibration on true carries: the float model runs its own halting loop, layers are observed.

Observers see every input that a layer has in use: all passes of all ACT (adaptive computation time)
steps, on carries that the model itself computed. Nothing is stored, so memory does not grow with
the number of puzzles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trm_edge.architecture import layer_prefix, network_of
from trm_edge.backends.base import HaltingLogits
from trm_edge.calibration.recipe import CalibrationRecipe
from trm_edge.calibration_record import CalibrationCoverage
from trm_edge.config import ModelConfig
from trm_edge.errors import CalibrationError, ConfigError
from trm_edge.export.model import Carry, RecursiveModel
from trm_edge.export.torch_backend import TorchBackend
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solver import Solver
from trm_edge.progress import Metered, Track, silent
from trm_edge.puzzle import Puzzle

# Called with a layer's input (B, ..., K) and the pass of its network within the step, from 0: the
# call site of the layer in the step graph.
Observer = Callable[[Tensor, int], None]


def linear_layers(model: RecursiveModel) -> dict[str, nn.Linear]:
    """The matrices of the networks by their names in the step graph.

    Args:
        model: the model.
    """
    layers = {}
    for network, blocks in model.networks.items():
        for name, module in blocks.named_modules():
            if isinstance(module, nn.Linear):
                layers[f"{layer_prefix(network)}{name}"] = module
    return layers


def run_trajectories(
    model: RecursiveModel,
    puzzle_embeddings: NDArray[np.float32] | None,
    puzzles: Sequence[Puzzle],
    observers: Mapping[str, Observer],
    recipe: CalibrationRecipe,
    *,
    track: Track = silent,
    description: str = "calibrating",
) -> CalibrationCoverage:
    """Run every puzzle through all ACT steps while observers see the inputs of layers.

    Args:
        model: the float32 model.
        puzzle_embeddings: table (N, E) float32; None where the model has none.
        puzzles: to run, all of them.
        observers: observer by layer name.
        recipe: batch, kind of carries, and the steps and passes to observe.
        track: reports progress.
        description: label of the progress.

    Returns:
        Counts of what was observed.

    Raises:
        CalibrationError: there are no puzzles.
        ConfigError: the recipe observes only steps or passes that the model does not have.
    """
    if not puzzles:
        raise CalibrationError("there are no calibration puzzles; pass some with --calibration.")
    config = model.config
    steps, passes = _observed(config, recipe)
    backend = _ObservedBackend(model, recipe)
    solver = Solver(
        backend,
        puzzle_embeddings,
        halting=HaltingRule.from_config(config, "fixed"),
        batch=recipe.batch,
    )
    with solver, backend.observed_by(observers):
        max_steps = config.halt_max_steps
        solutions = Metered(solver.solve(puzzles), "puzzles", lambda: solver.slot_steps / max_steps)
        for _ in track(solutions, description, len(puzzles)):
            pass
    puzzle_steps = len(puzzles) * steps
    return CalibrationCoverage(len(puzzles), puzzle_steps, puzzle_steps * passes)


def _observed(config: ModelConfig, recipe: CalibrationRecipe) -> tuple[int, int]:
    """Numbers of the steps and passes that the recipe observes."""
    steps = config.halt_max_steps
    if recipe.steps:
        steps = len(set(range(1, steps + 1)) & set(recipe.steps))
    passes = config.network_passes
    if recipe.passes:
        passes = len(set(range(passes)) & set(recipe.passes))
    if not steps or not passes:
        raise ConfigError(
            f"the recipe observes steps {recipe.steps} and passes {recipe.passes}, but the model "
            f"has steps 1..{config.halt_max_steps} and passes 0..{config.network_passes - 1}."
        )
    return steps, passes


class _ObservedBackend(TorchBackend):
    """A backend that knows the step and pass of each input: in fixed mode all slots are alike."""

    def __init__(self, model: RecursiveModel, recipe: CalibrationRecipe) -> None:
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
        self.step_number += 1
        if reset.all():
            self.step_number = 1
        if self.recipe.carries == "random":
            self._carry = self._random_carry(len(tokens))
            reset = np.zeros_like(reset)
        return super().step(tokens, puzzle_embedding, reset)

    def _random_carry(self, slots: int) -> Carry:
        shape = (slots, self.config.carry_len, self.config.hidden_size)
        carry = {}
        for state in self.config.recursion.states:
            carry[state] = torch.randn(shape, generator=self._generator)
        return carry

    @contextmanager
    def observed_by(self, observers: Mapping[str, Observer]) -> Iterator[None]:
        layers = linear_layers(self.model)
        handles = []
        for name, observer in observers.items():
            passes = self.config.passes_of(network_of(name))
            handles.append(layers[name].register_forward_pre_hook(self._hook(observer, passes)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _hook(
        self, observer: Observer, passes: int
    ) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        """Count the passes of the layer's network and hand its inputs on."""
        calls = 0

        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            nonlocal calls
            site = calls % passes
            calls += 1
            if self.recipe.observes(self.step_number, site):
                observer(inputs[0], site)

        return hook
