"""True carries: the float model runs its own halting loop, and observers watch its layers.

Every input that a layer sees in use is seen here: all passes of all ACT steps, on carries that the
model itself made. Nothing is stored, so memory does not grow with the number of puzzles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from trm_edge.backends.torch import TorchBackend
from trm_edge.errors import CalibrationError
from trm_edge.export.model import TinyRecursiveModel
from trm_edge.halting import HaltingRule
from trm_edge.progress import Track, silent
from trm_edge.solver import Puzzle, Solver

Observer = Callable[[Tensor], None]


def linear_layers(model: TinyRecursiveModel) -> dict[str, nn.Linear]:
    """The network's matrices by the names that the step graph gives them, in order of use."""
    return {
        name: module
        for name, module in model.L_level.named_modules()
        if isinstance(module, nn.Linear)
    }


@dataclass(frozen=True)
class Extent:
    """How much was seen."""

    puzzles: int
    steps: int  # ACT steps over all puzzles
    carries: int  # network passes over all puzzles


def run_trajectories(
    model: TinyRecursiveModel,
    puzzle_embeddings: NDArray[np.float32] | None,
    puzzles: Sequence[Puzzle],
    observers: Mapping[str, Observer],
    *,
    batch: int,
    track: Track = silent,
    what: str = "calibrating",
) -> Extent:
    """Run every puzzle through all ACT steps; observers get each named layer's input (B, ..., K).

    Raises:
        CalibrationError: there are no puzzles.
    """
    if not puzzles:
        raise CalibrationError("there are no calibration puzzles; pass some with --calibration.")
    config = model.config
    solver = Solver(
        TorchBackend(model),
        puzzle_embeddings,
        halting=HaltingRule.of(config, "fixed"),
        batch=batch,
    )
    with solver, _watching(model, observers):
        for _ in track(solver.solve(puzzles), what, len(puzzles)):
            pass
    return Extent(len(puzzles), solver.slot_steps, solver.slot_steps * config.network_passes)


@contextmanager
def _watching(model: TinyRecursiveModel, observers: Mapping[str, Observer]) -> Iterator[None]:
    layers = linear_layers(model)
    handles = []
    for name, observer in observers.items():

        def hook(module: nn.Module, inputs: tuple[Tensor, ...], see: Observer = observer) -> None:
            see(inputs[0])

        handles.append(layers[name].register_forward_pre_hook(hook))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
