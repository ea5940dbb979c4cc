"""``trm-edge build``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

from trm_edge.build import build_target, profile_of, trtexec_line
from trm_edge.bundle import Bundle
from trm_edge.cli.options import bundle_argument
from trm_edge.engines.compiler import CompilerName
from trm_edge.engines.record import ENGINE, LOG


@click.command("build")
@bundle_argument
@click.option("--target", help="Of the bundle; may be left out where there is one for a GPU.")
@click.option(
    "--compiler",
    type=click.Choice(["tensorrt", "tensorrt-rtx"]),
    help="TensorRT where it is installed, else TensorRT-RTX.",
)
@click.option(
    "--compute-capability", metavar="X.Y", help="What TensorRT-RTX compiles for, on any machine."
)
@click.option("--batch", nargs=3, type=click.IntRange(min=1), help="Least, usual and most slots.")
@click.option("--optimization-level", type=click.IntRange(0, 5), help="The compiler's default.")
@click.option("--trtexec", is_flag=True, help="Print the trtexec command instead.")
def command(
    bundle: Path,
    target: str | None,
    compiler: CompilerName | None,
    compute_capability: str | None,
    batch: tuple[int, int, int] | None,
    optimization_level: int | None,
    trtexec: bool,
) -> None:
    """Compile a target's step graph into an engine, on the device it is for.

    \b
    trm-edge build my-bundle --target jetson-orin-nano
    trm-edge build my-bundle --target l4 --compiler tensorrt-rtx --compute-capability 8.9
    """
    if batch and list(batch) != sorted(batch):
        raise click.UsageError(f"--batch must rise: least, usual, most; got {batch}.")
    opened = Bundle.open(bundle)
    profile = profile_of(opened, target)
    if trtexec:
        click.echo(trtexec_line(opened, profile))
        return
    chosen: CompilerName = compiler or ("tensorrt" if find_spec("tensorrt") else "tensorrt-rtx")
    record = build_target(
        opened,
        profile,
        chosen,
        compute_capability=compute_capability,
        batch=batch or None,
        optimization_level=optimization_level,
    )
    folder = (bundle / opened.manifest.targets[profile.name].step).parent
    click.echo(
        f"{folder / ENGINE}: {record.engine_size / 1e6:.1f} MB in {record.seconds:.1f} s, "
        f"{len(record.warnings)} warnings ({folder / LOG})"
    )
