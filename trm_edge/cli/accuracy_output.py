"""Print the simulated accuracy of a bundle's targets."""

from __future__ import annotations

from trm_edge.bundle import Bundle
from trm_edge.cli.console import echo
from trm_edge.manifest import SimulatedAccuracy


def print_accuracy(bundle: Bundle) -> None:
    """Print a line for each quantized target, to stdout; nothing where none is quantized.

    Args:
        bundle: the bundle that was written.
    """
    lines = []
    puzzles = 0
    labelled = bundle.parity().labelled
    for name, target in bundle.manifest.targets.items():
        if target.simulated is not None:
            puzzles = target.simulated.puzzles
            lines.append(f"  {name}: {_figures(target.simulated, labelled=labelled)}")
    if not lines:
        return
    answers = "" if labelled else " without known answers"
    echo(f"Against float32, simulated on {puzzles} held-out puzzles{answers}:")
    for line in lines:
        echo(line)


def _figures(simulated: SimulatedAccuracy, *, labelled: bool) -> str:
    """Exact match and points gained by halting mode, where the answers are known; halting step."""
    same_step = f"same step {100 * simulated.halting_agreement:.1f} %"
    if not labelled:
        return same_step
    fixed = _mode("fixed", simulated.exact_fixed, simulated.drop_fixed)
    adaptive = _mode("adaptive", simulated.exact_adaptive, simulated.drop_adaptive)
    return f"{fixed}, {adaptive}, {same_step}"


def _mode(mode: str, exact: float, drop: float) -> str:
    return f"{mode} {100 * exact:.1f} % ({0.0 - drop:+.2f})"  # never -0.00
