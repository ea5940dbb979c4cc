"""Accuracy control: return the most sensitive layers to float until the drop is within a limit.

As in NNCF's quantization with accuracy control. The limit holds for the upper end of the drop's
95 % interval in both halting modes, so that it is met on unseen puzzles, too, and not by luck on
these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trm_edge.calibration.sensitivity import QuantizedRunner, rank_layers
from trm_edge.errors import CalibrationError
from trm_edge.evaluation.parity import ParityReport, compare
from trm_edge.evaluation.ranking import LayerSensitivity
from trm_edge.evaluation.resolution import smallest_bound
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.progress import Track, silent
from trm_edge.tasks.base import Entry


@dataclass(frozen=True)
class ControlledAccuracy:
    """The outcome of accuracy control.

    Args:
        returned: layers returned to float, the most sensitive first.
        report: accuracy of the remaining quantization on the held-out puzzles.
        ranking: all layers, the most sensitive first; empty if no layer had to return.
    """

    returned: tuple[LayerSensitivity, ...]
    report: ParityReport
    ranking: tuple[LayerSensitivity, ...] = ()


def control_accuracy(
    runner: QuantizedRunner,
    reference: ParityVectors,
    held_out: Sequence[Entry],
    ranking_entries: Sequence[Entry],
    max_drop: float,
    track: Track = silent,
) -> ControlledAccuracy:
    """Hold the drop of exact match within a limit.

    Args:
        runner: runs the calibrated model.
        reference: float32 answers to the held-out puzzles.
        held_out: puzzles to measure the drop on.
        ranking_entries: other puzzles, to rank the layers on.
        max_drop: largest drop of exact match, in percentage points.
        track: reports progress.

    Raises:
        CalibrationError: there are too few held-out puzzles to show such a drop, or no choice of
            layers meets the limit; names the best one.
    """
    require_enough_puzzles(len(held_out), max_drop)
    layers = dict(runner.calibration.layers)
    ranking: list[LayerSensitivity] = []
    returned: list[LayerSensitivity] = []
    reports: list[ParityReport] = []  # by number of returned layers
    while layers:
        total = len(runner.calibration.layers)
        candidate = runner.answers(
            held_out,
            layers,
            track=track,
            description=f"held-out puzzles, {len(layers)} of {total} layers",
            carry_puzzles=len(reference.carry_positions),
        )
        report = compare(reference, candidate)
        if report.drop_bound <= max_drop:
            return ControlledAccuracy(tuple(returned), report, tuple(ranking))
        reports.append(report)
        if not ranking:
            ranking = rank_layers(runner, ranking_entries, track)
        layer = ranking[len(returned)]
        returned.append(layer)
        del layers[layer.layer]
    raise _unreachable_limit(max_drop, len(held_out), reports, returned)


def require_enough_puzzles(puzzles: int, max_drop: float) -> None:
    """Refuse a limit that this many puzzles cannot show; cheap, so it can come before the work.

    Args:
        puzzles: number of held-out puzzles.
        max_drop: largest drop of exact match, in percentage points.

    Raises:
        CalibrationError: names the smallest bound that they can show.
    """
    bound = smallest_bound(puzzles)
    if bound > max_drop:
        raise CalibrationError(
            f"{puzzles} held-out puzzles cannot show that at most {max_drop:g} points are lost: "
            f"even with no answer changed the bound is {bound:.2f}. Pass more with "
            "--dataset or --held-out, or allow more with --max-drop."
        )


def _unreachable_limit(
    max_drop: float,
    puzzles: int,
    reports: Sequence[ParityReport],
    returned: Sequence[LayerSensitivity],
) -> CalibrationError:
    """The error that names the best choice; of equals the one with fewer layers in float."""
    count = min(range(len(reports)), key=lambda index: reports[index].drop_bound)
    best = reports[count]
    names = ", ".join(layer.layer for layer in returned[:count]) or "none"
    return CalibrationError(
        f"at most {max_drop:g} points of exact match may be lost, and no choice of layers shows "
        f"that on {puzzles} held-out puzzles. The best is a drop of {best.worst_drop:.2f}, "
        f"bound {best.drop_bound:.2f}, with these layers in float: {names}. Allow more with "
        "--max-drop, pass more held-out puzzles with --dataset, fine-tune with --qat, or export "
        "with --fp16."
    )
