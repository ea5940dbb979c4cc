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
    fixed = f"fixed {100 * simulated.exact_fixed:.1f} % ({-simulated.drop_fixed:+.2f})"
    adaptive = f"adaptive {100 * simulated.exact_adaptive:.1f} % ({-simulated.drop_adaptive:+.2f})"
    return f"{fixed}, {adaptive}, {same_step}"
