"""Options of ``trm-edge solve`` for answers as Parquet, ``-o NAME.parquet``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import click

from trm_edge.cli.arc_options import ArcOptions, named_options

F = TypeVar("F", bound=Callable[..., Any])

SUFFIX = ".parquet"


@dataclass(frozen=True)
class ParquetOptions:
    """Parameters of the command, under their names on the command line.

    Args:
        retry_failed: --retry-failed.
    """

    retry_failed: bool


_OPTIONS = (
    click.option(
        "--retry-failed",
        is_flag=True,
        help="With -o NAME.parquet: solve the rows again that have failed before.",
    ),
)


def parquet_options(command: F) -> F:
    """Add the options to a command, which gets them as ``parquet``, a :class:`ParquetOptions`.

    Args:
        command: the function.
    """

    @functools.wraps(command)
    def with_parquet(**parameters: Any) -> Any:
        values = {}
        for entry in fields(ParquetOptions):
            values[entry.name] = parameters.pop(entry.name)
        return command(**parameters, parquet=ParquetOptions(**values))

    decorated: Any = with_parquet
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    result: F = decorated
    return result


def is_parquet(output: Path | None) -> bool:
    """Tell by its name whether an output is a folder of Parquet files.

    Args:
        output: ``-o``.
    """
    return output is not None and output.name.lower().endswith(SUFFIX)


def check_parquet_options(context: click.Context, output: Path | None) -> None:
    """Refuse options that do not go with an output as Parquet, or that need one.

    Args:
        context: of the command.
        output: ``-o``.

    Raises:
        UsageError: names the option.
    """
    if not is_parquet(output):
        needing = [entry.name for entry in fields(ParquetOptions)]
        named = named_options(context, needing)
        if named:
            raise click.UsageError(
                f"{named[0]} belongs to answers as Parquet: add -o NAME.parquet."
            )
        return
    named = named_options(context, ["watch", "output_format"])
    if named:
        raise click.UsageError(
            f"{named[0]} is for answers that are printed, and does not go with -o NAME.parquet."
        )
    named = named_options(context, [entry.name for entry in fields(ArcOptions)])
    if named:
        raise click.UsageError(
            f"{named[0]} belongs to a run over ARC tasks, whose -o does not end in .parquet."
        )
