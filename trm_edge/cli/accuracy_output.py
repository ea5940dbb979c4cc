"""Print the simulated accuracy of a bundle's targets."""

from __future__ import annotations

from trm_edge.bundle import Bundle
from trm_edge.cli.console import stdout_console
from trm_edge.cli.tables import Column, DataTable, print_text
from trm_edge.manifest import SimulatedAccuracy


def print_accuracy(bundle: Bundle) -> None:
    """Print a line for each quantized target, to stdout; nothing where none is quantized.

    Args:
        bundle: the bundle that was written.
    """
    simulated = {}
    for name, target in bundle.manifest.targets.items():
        if target.simulated is not None:
            simulated[name] = target.simulated
    if not simulated:
        return
    first = next(iter(simulated.values()))
    columns = [Column("target", align="left")]
    answers = " without known answers"
    if first.labelled:
        answers = ""
        columns += map(Column, ("exact, fixed", "change", "exact, adaptive", "change"))
    table = DataTable([*columns, Column("same step")])
    for name, accuracy in simulated.items():
        table.add(name, *_figures(accuracy, labelled=first.labelled))
    console = stdout_console()
    heading = f"Against float32, simulated on {first.puzzles} held-out puzzles{answers}:"
    print_text(console, f"\n{heading}\n")
    table.print(console)
    console.print()


def _figures(simulated: SimulatedAccuracy, *, labelled: bool) -> list[str]:
    """Exact match and points gained by halting mode, where the answers are known; halting step."""
    same_step = f"{100 * simulated.halting_agreement:.1f} %"
    if not labelled:
        return [same_step]
    return [
        f"{100 * simulated.exact_fixed:.1f} %",
        _gain(simulated.drop_fixed),
        f"{100 * simulated.exact_adaptive:.1f} %",
        _gain(simulated.drop_adaptive),
        same_step,
    ]


def _gain(drop: float) -> str:
    return f"{0.0 - drop:+.2f}"  # never -0.00
