"""Options of ``trm-edge solve`` for a run over augmented ARC tasks, which writes a folder."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from trm_edge.arc.stopping import Leaders, StoppingRule
from trm_edge.arc.votes import VoteOrder
from trm_edge.cli.options import FiniteRange, votes_by_option

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class ArcOptions:
    """Parameters of the command, under their names on the command line.

    Args:
        augmentations: --augmentations.
        minutes: --minutes.
        until_decided: --until-decided.
        decide: --decide.
        votes_by: --votes-by.
        grids: --grids.
    """

    augmentations: int | None
    minutes: float | None
    until_decided: float | None
    decide: Leaders
    votes_by: VoteOrder
    grids: int

    @property
    def rule(self) -> StoppingRule | None:
        """The stopping rule; None where every question is asked."""
        if self.until_decided is None:
            return None
        return StoppingRule(self.until_decided, self.decide)


_OPTIONS = (
    click.option(
        "--augmentations",
        type=click.IntRange(0, 100_000),
        metavar="N",
        show_default="all that the bundle has rows for",
        help="ARC, with -o: variants of each task that vote, beside the original.",
    ),
    click.option(
        "--minutes",
        type=FiniteRange(0, min_open=True),
        metavar="T",
        help="ARC, with -o: end in time with everything written; all tasks are served evenly, and "
        "the same command goes on.",
    ),
    click.option(
        "--until-decided",
        type=FiniteRange(0, 1),
        metavar="P",
        help="ARC, with -o: end the votes on a test input once its leading answers stay the "
        "leading ones with probability P, such as 0.99.",
    ),
    click.option(
        "--decide",
        type=click.Choice(get_args(Leaders)),
        default="pair",
        show_default=True,
        help="The leading answers of --until-decided: the first two, or the first alone.",
    ),
    votes_by_option,
    click.option(
        "--grids",
        type=click.IntRange(0),
        default=10,
        show_default=True,
        metavar="N",
        help="ARC, with -o: candidates of each test input whose grids ranking.json has.",
    ),
)


def arc_options(command: F) -> F:
    """Add the options to a command, which gets them as ``arc``, an :class:`ArcOptions`.

    Args:
        command: the function.
    """

    @functools.wraps(command)
    def with_arc(**parameters: Any) -> Any:
        values = {}
        for entry in fields(ArcOptions):
            values[entry.name] = parameters.pop(entry.name)
        return command(**parameters, arc=ArcOptions(**values))

    decorated: Any = with_arc
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    result: F = decorated
    return result


def check_folder_options(context: click.Context, output: Path | None) -> None:
    """Refuse options that need ``-o``, or that do not go with it.

    Args:
        context: of the command.
        output: ``-o``.

    Raises:
        UsageError: names the option.
    """
    needing = [entry.name for entry in fields(ArcOptions)]
    if output is None:
        named = named_options(context, needing)
        if named:
            raise click.UsageError(f"{named[0]} belongs to a run that is written: add -o FOLDER.")
        return
    if named_options(context, ["decide"]) and not named_options(context, ["until_decided"]):
        raise click.UsageError("--decide says what --until-decided P watches: add it.")
    other = ["watch", "output_format", "rollouts", "explore", "only_valid", "answer_if"]
    named = named_options(context, [*other, "deadline_ms", "select", "min_confidence", "sigma"])
    if named:
        raise click.UsageError(
            f"{named[0]} is for answers that are printed, and does not go with -o."
        )


def named_options(context: click.Context, parameters: list[str]) -> list[str]:
    """Find the options of parameters that are on the command line.

    Args:
        context: of the command.
        parameters: their names in Python.
    """
    sources = click.core.ParameterSource
    options = []
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in parameters and context.get_parameter_source(name) != sources.DEFAULT:
            options.append(parameter.opts[-1])
    return options
