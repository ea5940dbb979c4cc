"""Options of ``trm-edge solve`` for several tries at a puzzle, and which answers are handed out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar, get_args

import click

from trm_edge.cli.options import FiniteRange
from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError
from trm_edge.loop.exploration import Exploration
from trm_edge.loop.selection import Selector, SelectorName, selector_for
from trm_edge.tasks.augmentation import PuzzleAugmentation
from trm_edge.tasks.base import Task

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_EXPLORER = "forms"
EXPLORERS = ("forms", "noise", "start", "depth")
DEPTH_FACTOR = 4  # times the model's own steps, with the explorer depth
DEPTH_UNCHANGED = 4  # steps without a change after which a deep try stops
DEFAULT_NOISE = 0.3  # arXiv 2605.19943, Sudoku
DEFAULT_START = 1.0  # arXiv 2605.21488
MAX_ROLLOUTS = 65_536


def parse_explorers(
    context: click.Context, option: click.Parameter, value: str | None
) -> tuple[str, ...]:
    """Parse the value of ``--explore``.

    Args:
        context: of the command.
        option: ``--explore``.
        value: explorers, separated by commas; None: none is named.

    Raises:
        click.BadParameter: there is no such explorer.
    """
    if value is None:
        return ()
    names = [name.strip() for name in value.split(",")]
    for name in names:
        if name not in EXPLORERS:
            raise click.BadParameter(
                f"{name!r} is not one of {', '.join(EXPLORERS)}. Separate several by commas.",
                context,
                option,
            )
    return tuple(dict.fromkeys(names))


@dataclass(frozen=True)
class SearchOptions:
    """Parameters of the command, under their names on the command line.

    Args:
        rollouts: --rollouts.
        explore: --explore.
        sigma: --sigma.
        explore_seed: --explore-seed.
        select: --select.
        min_confidence: --min-confidence.
        only_valid: --only-valid.
        answer_if: --answer-if.
        deadline_ms: --deadline-ms.
    """

    rollouts: int
    explore: tuple[str, ...]
    sigma: float | None
    explore_seed: int
    select: SelectorName | None
    min_confidence: float
    only_valid: bool
    answer_if: float
    deadline_ms: float | None

    @staticmethod
    def one_try() -> SearchOptions:
        """Return those of a command without any of them: one try, and its answer whatever it is."""
        return SearchOptions(
            rollouts=1,
            explore=(),
            sigma=None,
            explore_seed=0,
            select=None,
            min_confidence=1.0,
            only_valid=False,
            answer_if=0.0,
            deadline_ms=None,
        )

    @property
    def deadline(self) -> float | None:
        """Seconds for the answer to a puzzle; None without a deadline."""
        return None if self.deadline_ms is None else self.deadline_ms / 1e3

    def steps(self, config: ModelConfig, max_steps: int | None, unchanged: int) -> tuple[int, int]:
        """Choose the step limit and the settled stop.

        Args:
            config: the model.
            max_steps: --max-steps.
            unchanged: --stop-unchanged.

        Returns:
            ACT steps (adaptive computation time) at most, and the steps without a change after
            which a puzzle stops, 0 for never.
        """
        if "depth" not in self.explore:
            return max_steps or config.halt_max_steps, unchanged
        return max_steps or DEPTH_FACTOR * config.halt_max_steps, unchanged or DEPTH_UNCHANGED

    def exploration(self, task: Task) -> Exploration | None:
        """Make the exploration; None for a single try.

        Args:
            task: of the bundle.

        Raises:
            ConfigError: the options do not fit each other, or the task.
        """
        explorers = self.explore or (DEFAULT_EXPLORER,)
        is_random = "noise" in explorers or "start" in explorers
        if self.sigma is not None and not is_random:
            raise ConfigError(
                "--sigma is the size of noise or of a random start. Add --explore noise or "
                "--explore start."
            )
        if self.rollouts == 1:
            if is_random:
                raise ConfigError(
                    "the first try at a puzzle has neither noise nor a random start. Ask for more "
                    "tries, such as --rollouts 8."
                )
            return None
        if explorers == ("depth",):
            raise ConfigError(
                f"{self.rollouts} tries that only go deeper would all be the same. Leave out "
                "--rollouts, or add another explorer, such as --explore depth,noise."
            )
        augmentations: Sequence[PuzzleAugmentation] = ()
        if "forms" in explorers:
            count = self.rollouts
            if is_random:
                count = min(count, task.augmentation_limit)
            augmentations = task.augmentations(count)
        sigma = {"noise": DEFAULT_NOISE, "start": DEFAULT_START}
        if self.sigma is not None:
            sigma = dict.fromkeys(sigma, self.sigma)
        return Exploration(
            self.rollouts,
            augmentations,
            noise=sigma["noise"] if "noise" in explorers else 0.0,
            start=sigma["start"] if "start" in explorers else 0.0,
            seed=self.explore_seed,
        )

    def selector(self, task: Task) -> Selector:
        """Make the selector.

        Args:
            task: of the bundle.

        Raises:
            ConfigError: the task has no rule, but the selector asks it.
        """
        name = self.select
        if self.min_confidence < 1:
            if name not in (None, "q"):
                raise ConfigError(
                    f"--min-confidence ends the tries of --select q, but got --select {name}. "
                    "Leave out one of them."
                )
            name = "q"
        return selector_for(task, name, min_confidence=self.min_confidence)

    def check(self, task: Task) -> None:
        """Refuse what the task cannot do.

        Args:
            task: of the bundle.

        Raises:
            ConfigError: the task has no rule, but only valid answers are wanted.
        """
        if self.only_valid and not task.judges:
            raise ConfigError(
                f"the task {task.name} has no rule that accepts an answer, so --only-valid cannot "
                "judge. Use --answer-if P, which asks the halting head instead."
            )


_OPTIONS = (
    click.option(
        "--rollouts",
        type=click.IntRange(1, MAX_ROLLOUTS),
        default=1,
        show_default=True,
        metavar="K",
        help="Make up to K tries at each puzzle; a selector chooses the answer.",
    ),
    click.option(
        "--explore",
        callback=parse_explorers,
        metavar="LIST",
        show_default="forms",
        help="What makes tries differ: forms (augmentations of the puzzle), noise, start (random "
        "start states), depth (more steps); several with commas.",
    ),
    click.option(
        "--sigma",
        type=FiniteRange(0),
        metavar="S",
        show_default=f"{DEFAULT_NOISE} for noise, {DEFAULT_START:g} for start",
        help="Standard deviation of noise and random starts; states have a root mean square of 1.",
    ),
    click.option(
        "--explore-seed",
        type=click.IntRange(0, 2**63 - 1),
        default=0,
        show_default=True,
        metavar="N",
        help="Seed of noise and random starts.",
    ),
    click.option(
        "--select",
        type=click.Choice(get_args(SelectorName)),
        show_default="valid where the task has a rule, else q",
        help="Which try answers: the largest q_halt, the most frequent answer, the most settled "
        "one (with --halt fixed), or the first that the task's rule accepts.",
    ),
    click.option(
        "--min-confidence",
        type=FiniteRange(0, 1),
        default=1.0,
        show_default=True,
        metavar="P",
        help="With --select q: stop trying once the confidence reaches P.",
    ),
    click.option(
        "--only-valid",
        is_flag=True,
        help="Report a puzzle as unsolved instead of giving an answer that breaks the rules.",
    ),
    click.option(
        "--answer-if",
        type=FiniteRange(0, 1),
        default=0.0,
        show_default=True,
        metavar="P",
        help="Report a puzzle as unsure instead of giving an answer with a confidence below P.",
    ),
    click.option(
        "--deadline-ms",
        type=FiniteRange(0, min_open=True),
        metavar="T",
        help="Give the best answer so far after T milliseconds, counted for each puzzle.",
    ),
)


def search_options(command: F) -> F:
    """Add the options to a command, which gets them as ``search``, a :class:`SearchOptions`.

    Args:
        command: the function.
    """

    @functools.wraps(command)
    def with_search(**parameters: Any) -> Any:
        values = {}
        for entry in fields(SearchOptions):
            values[entry.name] = parameters.pop(entry.name)
        return command(**parameters, search=SearchOptions(**values))

    decorated: Any = with_search
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    result: F = decorated
    return result
