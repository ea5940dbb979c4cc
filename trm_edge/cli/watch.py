"""`trm-edge solve --watch`: a puzzle being refined, one frame an ACT step."""

from __future__ import annotations

import time

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from trm_edge.cli.solve_output import Answer, picture
from trm_edge.loop.solution import Solution
from trm_edge.tasks.base import Task

_SECONDS = 0.4  # a frame; a step itself takes far less


def watch_solution(task: Task, answer: Answer, solution: Solution) -> None:
    """Replay the prediction of every step on stderr; still frames where it is no terminal."""
    console = Console(stderr=True, highlight=False)
    frames = [_frame(task, answer, solution, step) for step in range(len(solution.q_halt))]
    if not console.is_terminal:
        for frame in frames:
            console.print(frame, crop=False)
        return
    with Live(frames[0], console=console, auto_refresh=False) as live:
        for frame in frames:
            live.update(frame, refresh=True)
            time.sleep(_SECONDS)


def _frame(task: Task, answer: Answer, solution: Solution, step: int) -> Group:
    if solution.trajectory is None:
        raise ValueError("watching needs a solver with trace=True")
    tokens = answer.entry.puzzle.tokens
    now = solution.trajectory[step]
    changed = ""
    if step:
        count = int(np.count_nonzero(now != solution.trajectory[step - 1]))
        changed = f", {count} cell{'' if count == 1 else 's'} changed"
    sure = 1 / (1 + np.exp(-np.float64(solution.q_halt[step])))
    return Group(
        Text(f"#{solution.index + 1}, step {step + 1}: {100 * sure:.1f} % sure{changed}"),
        picture(task, now, tokens),
    )
