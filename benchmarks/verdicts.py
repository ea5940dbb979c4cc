"""Error rates of the verdicts of `trm-edge parity` and `trm-edge regress`, by simulation.

    python benchmarks/verdicts.py

Draws invented runs, judges them by the code of both commands, and prints how often each verdict
comes. The noise is that of INT8 against float32 on the 2,000 held-out puzzles of the bundled Sudoku
model: 15 answers flip in fixed mode and 64 in adaptive mode, half of them either way, and 92 % of
the puzzles halt at the same step. It stands for another CPU, too, which moves the last bits only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

from trm_edge.evaluation.limits import judge_agreement, judge_drop
from trm_edge.manifest import Limits
from trm_edge.regression.answer_checks import answer_checks
from trm_edge.regression.answers import Answers
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.result import overall

PUZZLES = (64, 256, 512, 2000)
LOSSES = (0.0, 0.5, 1.0, 3.0)  # points of exact match
AGREEMENTS = (0.92, 0.85, 0.8, 0.75)  # true shares of equal halting steps
LIMITS = Limits(max_drop=0.5, min_halting_agreement=0.85)  # of an INT8 bundle
_FLIPS = {"fixed": 15 / 2000, "adaptive": 64 / 2000}
_SAME_STEP = 0.92
_SOLVED = 0.955
_CARRIES = 64  # puzzles whose carries are recorded
# Halting steps of the bundled Sudoku model: most puzzles stop after a few, some never.
_STEPS = np.array([0.02, 0.28, 0.24, 0.14, 0.09, 0.05, 0.04, 0.03, 0.02, 0.02, 0.01, 0.01, 0.01])
_NEVER = 16

Generator = np.random.Generator


class Scenario(NamedTuple):
    """A change of a bundle.

    Args:
        name: in the table.
        loss: points of exact match that it loses in both modes.
        moves: the arithmetic differs, so answers and halting steps flip.
        same_graph: the step graph is the baseline's, byte for byte.
    """

    name: str
    loss: float
    moves: bool
    same_graph: bool


SCENARIOS = (
    Scenario("unchanged, same machine", 0.0, False, True),
    Scenario("unchanged, another CPU", 0.0, True, True),
    Scenario("exported again elsewhere", 0.0, True, False),
    Scenario("another graph, 0.5 points lost", 0.5, True, False),
    Scenario("another graph, 1 point lost", 1.0, True, False),
    Scenario("another graph, 3 points lost", 3.0, True, False),
)


@click.command(help=__doc__)
@click.option("--draws", default=2000, show_default=True, help="Simulated runs of each cell.")
@click.option("--seed", default=0, show_default=True, help="Of the random numbers.")
def main(draws: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    click.echo("parity, points lost in adaptive mode, limit 0.5: % FAIL / % INCONCLUSIVE\n")
    _table(
        [f"{loss:g} points lost" for loss in LOSSES],
        lambda row, puzzles: Counter(
            _drop_verdict(rng, puzzles, LOSSES[row]) for _ in range(draws)
        ),
        ("fail", "inconclusive"),
    )
    click.echo(
        "\nparity, the same halting step against the limit of 85 %: % FAIL / % INCONCLUSIVE\n"
    )
    _table(
        [f"{100 * share:g} % in truth" for share in AGREEMENTS],
        lambda row, puzzles: Counter(
            _step_verdict(rng, puzzles, AGREEMENTS[row]) for _ in range(draws)
        ),
        ("fail", "inconclusive"),
    )
    click.echo("\nregress, all checks of answers together: % REGRESSED / % INCONCLUSIVE\n")
    _table(
        [scenario.name for scenario in SCENARIOS],
        lambda row, puzzles: Counter(
            _regress_verdict(rng, puzzles, SCENARIOS[row]) for _ in range(draws)
        ),
        ("regressed", "inconclusive"),
    )


def _table(
    names: list[str],
    count: Callable[[int, int], Counter[str]],
    verdicts: tuple[str, str],
) -> None:
    """Print the percentages of two verdicts, a row for each name and a column for each count."""
    headings = [f"{puzzles:,} puzzles" for puzzles in PUZZLES]
    click.echo(f"| | {' | '.join(headings)} |")
    click.echo("|---" * (len(headings) + 1) + "|")
    for row, name in enumerate(names):
        cells = []
        for puzzles in PUZZLES:
            counts = count(row, puzzles)
            total = sum(counts.values())
            first, second = (100 * counts[verdict] / total for verdict in verdicts)
            cells.append(f"{first:.1f} / {second:.1f}")
        click.echo(f"| {name} | {' | '.join(cells)} |")


def _drop_verdict(rng: Generator, puzzles: int, loss: float) -> str:
    chance = _FLIPS["adaptive"] / 2
    lost, gained, _ = rng.multinomial(
        puzzles, [chance + loss / 100, chance, 1 - 2 * chance - loss / 100]
    )
    return judge_drop("adaptive", int(lost), int(gained), puzzles, LIMITS.max_drop).verdict


def _step_verdict(rng: Generator, puzzles: int, share: float) -> str:
    same = int(rng.binomial(puzzles, share))
    return judge_agreement(same, puzzles, LIMITS.min_halting_agreement).verdict


def _regress_verdict(rng: Generator, puzzles: int, scenario: Scenario) -> str:
    float32_steps = _steps(rng, puzzles)
    baseline = _run(rng, puzzles, float32_steps)
    current = baseline
    if scenario.moves:
        current = _changed(rng, baseline, float32_steps, scenario.loss)
    compared = answer_checks(current, baseline, Budgets(), same_graph=scenario.same_graph)
    return overall(list(compared))


def _run(rng: Generator, puzzles: int, float32_steps: NDArray[np.int32]) -> Answers:
    """The baseline: a quantized model that agrees with float32 as often as INT8 does."""
    right = rng.random(puzzles) < _SOLVED
    return Answers(
        puzzles="p",
        labels="l",
        right_fixed=right,
        right_adaptive=right.copy(),
        steps=_moved(rng, float32_steps),
        error=rng.lognormal(-6.3, 0.5, min(puzzles, _CARRIES)),
        float32_steps=float32_steps,
    )


def _changed(
    rng: Generator, baseline: Answers, float32_steps: NDArray[np.int32], loss: float
) -> Answers:
    """The same model after noise, and with ``loss`` points of exact match lost for good."""
    puzzles = len(baseline)
    lost = rng.random(puzzles) < loss / 100 / _SOLVED
    return Answers(
        puzzles="p",
        labels="l",
        right_fixed=_flipped(rng, baseline.right_fixed, _FLIPS["fixed"]) & ~lost,
        right_adaptive=_flipped(rng, baseline.right_adaptive, _FLIPS["adaptive"]) & ~lost,
        steps=_moved_as_often(rng, baseline.steps, float32_steps),
        error=baseline.error * rng.lognormal(0, 0.3, len(baseline.error)),
        float32_steps=float32_steps,
    )


def _flipped(rng: Generator, right: NDArray[np.bool_], rate: float) -> NDArray[np.bool_]:
    """Flip answers so that as many are gained as lost on average."""
    to_wrong = rng.random(len(right)) < rate / 2 / _SOLVED
    to_right = rng.random(len(right)) < rate / 2 / (1 - _SOLVED)
    return np.where(right, ~to_wrong, to_right)


def _steps(rng: Generator, count: int) -> NDArray[np.int32]:
    """Halting steps of float32."""
    shares = np.append(_STEPS, 1 - _STEPS.sum())
    steps = np.append(np.arange(1, len(_STEPS) + 1), _NEVER)
    drawn: NDArray[np.int32] = rng.choice(steps, count, p=shares).astype(np.int32)
    return drawn


def _moved(rng: Generator, steps: NDArray[np.int32]) -> NDArray[np.int32]:
    """Move the steps of the share of puzzles that quantization moves, to steps of other puzzles."""
    moves = rng.random(len(steps)) > _SAME_STEP
    return np.where(moves, _steps(rng, len(steps)), steps)


def _moved_as_often(
    rng: Generator, steps: NDArray[np.int32], float32_steps: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Draw the steps anew where another rounding decides; as often float32's as before."""
    anew = _moved(rng, float32_steps)
    undecided = (steps != float32_steps) | (anew != float32_steps)
    return np.where(undecided, anew, steps)


if __name__ == "__main__":
    main()
