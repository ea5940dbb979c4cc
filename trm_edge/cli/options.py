"""Arguments and options that several commands share."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from trm_edge.cli.completion import complete_bundle, complete_bundle_target
from trm_edge.errors import ConfigError
from trm_edge.threads import thread_count


class ThreadCount(click.IntRange):
    """A number of CPU threads that this machine should start; 0 for one per core."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Check a number before any work is done.

        Args:
            value: of the command line, or the default.
            param: the option.
            ctx: the command's context.

        Raises:
            BadParameter: it is no number, or more than this machine should start.
        """
        threads = int(super().convert(value, param, ctx))
        try:
            thread_count(threads)
        except ConfigError as error:
            self.fail(str(error), param, ctx)
        return threads


class FiniteRange(click.FloatRange):
    """A number within bounds; click's own range lets NaN and infinity through."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Check a number.

        Args:
            value: of the command line, or the default.
            param: the option.
            ctx: the command's context.

        Raises:
            BadParameter: it is no number, not finite, or out of range.
        """
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


@contextmanager
def options_checked() -> Iterator[None]:
    """Turn the refusal of options by the library into misuse: exit code 2, with the usage.

    Raises:
        UsageError: a ConfigError was raised inside; has its message.
    """
    try:
        yield
    except ConfigError as error:
        raise click.UsageError(str(error)) from error


bundle_argument = click.argument(
    "bundle", type=click.Path(path_type=Path), shell_complete=complete_bundle
)
bundles_argument = click.argument(
    "bundles",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    shell_complete=complete_bundle,
)
target_option = click.option(
    "--target",
    metavar="NAME",
    shell_complete=complete_bundle_target,
    show_default="cpu, or the only one",
    help="Target of the bundle.",
)
threads_option = click.option(
    "--threads",
    type=ThreadCount(),
    metavar="N",
    default=0,
    show_default="every core",
    help="CPU threads.",
)
wide_option = click.option(
    "--wide", is_flag=True, help="Print every column, a line a row, however long the lines are."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
json_output_option = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write the JSON to a file.",
)
votes_by_option = click.option(
    "--votes-by",
    type=click.Choice(["votes", "confidence", "sum"]),
    default="votes",
    show_default=True,
    help="What ranks the answers: votes, then their mean confidence, as published; confidence, "
    "then votes; or the sum of confidences.",
)
