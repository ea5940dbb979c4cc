"""Return the layers that cost most to float until the drop is within limits, or say why not.

In the manner of NNCF's quantization with accuracy control. The limit is held by the upper end of
the drop's 95 % interval in either halting mode, so that it is met on puzzles that were not seen,
too, and not by luck on these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trm_edge.calibration.sensitivity import QuantizedRunner, rank_layers
from trm_edge.errors import CalibrationError
from trm_edge.evaluation.parity import ParityReport, compare
from trm_edge.evaluation.ranking import LayerSensitivity
from trm_edge.evaluation.statistics import paired_drop
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.progress import Track, silent
from trm_edge.tasks.base import Entry


@dataclass(frozen=True)
class ControlledAccuracy:
    """What was settled on."""

    returned: tuple[LayerSensitivity, ...]  # to float, worst first
    report: ParityReport  # of what is left, on the held-out puzzles
    ranking: tuple[LayerSensitivity, ...] = ()  # of all layers; empty where none had to go back


def control_accuracy(
    runner: QuantizedRunner,
    reference: ParityVectors,
    held_out: Sequence[Entry],
    to_rank_on: Sequence[Entry],
    max_drop: float,
    track: Track = silent,
) -> ControlledAccuracy:
    """Hold the drop of exact match within ``max_drop`` points.

    Args:
        reference: the float32 answers to the held-out puzzles.

    Raises:
        CalibrationError: too few puzzles to show such a drop, or no set of layers meets it; says
            what is the best that was had.
    """
    least = 100 * paired_drop(0, 0, len(held_out))[1]
    if least > max_drop:
        raise CalibrationError(
            f"{len(held_out)} held-out puzzles cannot show that at most {max_drop:g} points are "
            f"lost: even with no answer changed the bound is {least:.2f}. Pass more with "
            "--dataset, or allow more with --max-drop."
        )
    layers = dict(runner.calibration.layers)
    ranking: list[LayerSensitivity] = []
    returned: list[LayerSensitivity] = []
    tried: list[tuple[float, int, ParityReport]] = []
    while layers:
        what = f"held-out puzzles, {len(layers)} of {len(runner.calibration.layers)} layers"
        candidate = runner.answers(
            held_out,
            layers,
            track=track,
            what=what,
            carry_puzzles=len(reference.carry_positions),
        )
        report = compare(reference, candidate)
        if report.drop_bound <= max_drop:
            return ControlledAccuracy(tuple(returned), report, tuple(ranking))
        tried.append((report.drop_bound, len(returned), report))
        ranking = ranking or rank_layers(runner, to_rank_on, track)
        worst = ranking[len(returned)]
        returned.append(worst)
        del layers[worst.layer]
    bound, count, best = min(tried, key=lambda one: one[:2])
    names = ", ".join(layer.layer for layer in returned[:count]) or "none"
    raise CalibrationError(
        f"at most {max_drop:g} points of exact match may be lost, and no choice of layers shows "
        f"that on {len(held_out)} held-out puzzles. The best is a drop of {best.worst_drop:.2f}, "
        f"bound {bound:.2f}, with these in float: {names}. Allow more with --max-drop, pass more "
        "held-out puzzles with --dataset, fine-tune with --qat, or export with --fp16."
    )
