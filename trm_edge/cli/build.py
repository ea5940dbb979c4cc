"""``trm-edge build``."""

from __future__ import annotations

from pathlib import Path

import click

from trm_edge.build import build_target, gpu_target, trtexec_line
from trm_edge.bundle import Bundle
from trm_edge.cli.command import Command
from trm_edge.cli.completion import complete_bundle_target
from trm_edge.cli.options import bundle_argument
from trm_edge.engines.compiler import CompilerName
from trm_edge.engines.record import ENGINE, LOG


@click.command("build", cls=Command)
@bundle_argument
@click.option(
    "--target",
    metavar="NAME",
    shell_complete=complete_bundle_target,
    help="Target of the bundle; needed where several targets run on a GPU.",
)
@click.option(
    "--compiler",
    type=click.Choice(["tensorrt", "tensorrt-rtx"]),
    show_default="tensorrt if installed, else tensorrt-rtx",
    help="Compiler to use.",
)
@click.option(
    "--compute-capability",
    metavar="X.Y",
    show_default="this machine's GPU, else the target's",
    help="With tensorrt-rtx: the compute capability to compile for, on any machine.",
)
@click.option(
    "--batch",
    nargs=3,
    type=click.IntRange(min=1),
    metavar="MIN OPT MAX",
    show_default="the target's",
    help="Minimum, optimum and maximum number of slots.",
)
@click.option(
    "--optimization-level",
    type=click.IntRange(0, 5),
    metavar="N",
    show_default="the compiler's",
    help="Effort of the compiler.",
)
@click.option("--trtexec", is_flag=True, help="Print the trtexec command instead of building.")
def command(
    bundle: Path,
    target: str | None,
    compiler: CompilerName | None,
    compute_capability: str | None,
    batch: tuple[int, int, int] | None,
    optimization_level: int | None,
    trtexec: bool,
) -> None:
    """Compile a target's step graph into an engine, on the device that will run it.

    \b
    trm-edge build my-bundle --target jetson-orin-nano
    trm-edge build my-bundle --target l4 --compiler tensorrt-rtx --compute-capability 8.9
    """
    if batch and list(batch) != sorted(batch):
        numbers = " ".join(map(str, batch))
        raise click.UsageError(
            f"--batch must be three rising numbers (minimum, optimum, maximum), but got {numbers}."
        )
    opened = Bundle.open(bundle)
    name = gpu_target(opened, target)
    if trtexec:
        click.echo(trtexec_line(opened, name))
        return
    record = build_target(
        opened,
        name,
        compiler,
        compute_capability=compute_capability,
        batch=batch or None,
        optimization_level=optimization_level,
    )
    folder = (bundle / opened.manifest.targets[name].step).parent
    click.echo(
        f"{folder / ENGINE}: {record.engine_size / 1e6:.1f} MB in {record.seconds:.1f} s, "
        f"{len(record.warnings)} warnings (log: {folder / LOG})"
    )
