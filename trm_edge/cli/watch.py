"""``trm-edge solve --watch``: the refinement of a puzzle, one frame per ACT step."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from trm_edge.cli.solve_output import Answer, picture
from trm_edge.loop.halting import confidence
from trm_edge.tasks.base import Task

_FRAME_SECONDS = 0.4  # a step itself takes far less


def watch_solution(task: Task, answer: Answer) -> None:
    """Replay the prediction of every step on stderr, as an animation where it is a terminal.

    Args:
        task: of the bundle.
        answer: a solution of a solver with ``trace=True``.

    Raises:
        ValueError: the solution has no trajectory.
    """
    console = Console(stderr=True, highlight=False)
    frames = _frames(task, answer)
    if not console.is_terminal:
        for frame in frames:
            console.print(frame, crop=False)
        return
    with Live(frames[0], console=console, auto_refresh=False) as live:
        for frame in frames:
            live.update(frame, refresh=True)
            time.sleep(_FRAME_SECONDS)


def _frames(task: Task, answer: Answer) -> list[Group]:
    solution = answer.solution
    if solution.trajectory is None:
        raise ValueError("watching needs a solver with trace=True")
    tokens = answer.entry.puzzle.tokens
    frames = []
    for step, prediction in enumerate(solution.trajectory):
        percent = 100 * float(confidence(solution.q_halt[step]))
        title = f"#{solution.index + 1}, step {step + 1}: confidence {percent:.1f} %"
        if step:
            title += f", {_changed_cells(prediction, solution.trajectory[step - 1])}"
        frames.append(Group(Text(title), picture(task, prediction, tokens)))
    return frames


def _changed_cells(prediction: NDArray[np.integer], previous: NDArray[np.integer]) -> str:
    count = int(np.count_nonzero(prediction != previous))
    return "1 cell changed" if count == 1 else f"{count} cells changed"
