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
LOCAL = "local"  # --ray without an address: Ray is started here


@dataclass(frozen=True)
class ParquetOptions:
    """Parameters of the command, under their names on the command line.

    Args:
        retry_failed: --retry-failed.
        ray: --ray, the address; None: one process solves.
        workers: --workers.
        metrics_port: --metrics-port.
    """

    retry_failed: bool
    ray: str | None
    workers: int | None
    metrics_port: int | None


_OPTIONS = (
    click.option(
        "--retry-failed",
        is_flag=True,
        help="With -o NAME.parquet: solve the rows again that have failed before.",
    ),
    click.option(
        "--ray",
        is_flag=False,
        flag_value=LOCAL,
        metavar="[ADDRESS]",
        help="With -o NAME.parquet: solve with Ray, on this machine or on the cluster at ADDRESS "
        "(HOST:PORT, or auto for the one that runs here).",
    ),
    click.option(
        "--workers",
        type=click.IntRange(1),
        metavar="N",
        show_default="one on each GPU, or else for every 4 CPUs",
        help="With --ray: workers, each with an engine of its own.",
    ),
    click.option(
        "--metrics-port",
        type=click.IntRange(1, 65535),
        metavar="PORT",
        help="With --ray on this machine: where Ray's exporter serves metrics to Prometheus.",
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
    if not named_options(context, ["ray"]):
        named = named_options(context, ["workers", "metrics_port"])
        if named:
            raise click.UsageError(f"{named[0]} belongs to a run with Ray: add --ray.")
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
