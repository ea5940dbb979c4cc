"""Ways to make tries at a puzzle differ, as ``trm-edge solve --explore`` has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trm_edge.cli.search_options import DEPTH_FACTOR, DEPTH_UNCHANGED
from trm_edge.config import ModelConfig
from trm_edge.loop.exploration import Exploration
from trm_edge.loop.halting import HaltingMode, HaltingRule
from trm_edge.tasks.augmentation import PuzzleAugmentation
from trm_edge.tasks.base import Task


@dataclass(frozen=True)
class Explorer:
    """An explorer, or several together, and the halting of its tries.

    Args:
        name: for tables.
        forms: tries solve augmentations of the puzzle.
        noise: standard deviation of the noise before every step.
        start: standard deviation of a random start.
        deep: tries may take several times the model's own steps, and stop where nothing changes.
        halting: mode of halting.
    """

    name: str
    forms: bool = False
    noise: float = 0.0
    start: float = 0.0
    deep: bool = False
    halting: HaltingMode = "adaptive"

    def exploration(self, task: Task, tries: int) -> Exploration:
        """Make the exploration; it has fewer tries where the task has fewer augmentations.

        Args:
            task: of the model.
            tries: number of tries.
        """
        augmentations: Sequence[PuzzleAugmentation] = ()
        if self.forms:
            augmentations = task.augmentations(min(tries, task.augmentation_limit))
        if self.forms and not self.noise and not self.start:
            tries = len(augmentations)
        return Exploration(tries, augmentations, noise=self.noise, start=self.start)

    def rule(self, config: ModelConfig) -> HaltingRule:
        """Make the halting rule of a try.

        Args:
            config: the model.
        """
        if not self.deep:
            return HaltingRule.from_config(config, self.halting)
        steps = DEPTH_FACTOR * config.halt_max_steps
        return HaltingRule.from_config(
            config, self.halting, max_steps=steps, unchanged=DEPTH_UNCHANGED
        )


EXPLORERS = (
    Explorer("forms", forms=True),
    Explorer("noise 0.3", noise=0.3),
    Explorer("noise 1", noise=1.0),
    Explorer("start 1", start=1.0),
    Explorer("forms, noise 0.3", forms=True, noise=0.3),
    Explorer("noise 0.3, depth", noise=0.3, deep=True),
    Explorer("start 1, depth", start=1.0, deep=True),
    # The selector `settled` compares tries that take the same number of steps.
    Explorer("forms, fixed halting", forms=True, halting="fixed"),
    Explorer("noise 0.3, fixed halting", noise=0.3, halting="fixed"),
    Explorer("noise 1, fixed halting", noise=1.0, halting="fixed"),
    Explorer("start 1, fixed halting", start=1.0, halting="fixed"),
)
