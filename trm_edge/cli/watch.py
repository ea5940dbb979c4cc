"""``trm-edge solve --watch``: the refinement of a puzzle, one frame per ACT step."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from trm_edge.cli.answers import Answer
from trm_edge.cli.solve_output import picture
from trm_edge.loop.halting import confidence
from trm_edge.tasks.base import Task

_FRAME_SECONDS = 0.4  # a step itself takes far less


def watch_solution(task: Task, answer: Answer) -> None:
    """Replay the prediction of every step on stderr: animated in a terminal, else a line a step.

    The animation begins with the puzzle, and leaves nothing behind: the answer is written after it.

    Args:
        task: of the bundle.
        answer: a solution of a solver with ``trace=True``.

    Raises:
        ValueError: the solution has no trajectory.
    """
    console = Console(stderr=True, highlight=False)
    frames = _frames(task, answer, getattr(console.file, "encoding", None))
    if not console.is_terminal:
        for frame in frames[1:]:
            console.print(frame.title, markup=False, soft_wrap=True)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        for frame in frames:
            live.update(Group(Text(frame.title), frame.picture), refresh=True)
            time.sleep(_FRAME_SECONDS)


class _Frame(NamedTuple):
    title: str
    picture: Text


def _frames(task: Task, answer: Answer, encoding: str | None) -> list[_Frame]:
    """Draw the puzzle, then every step with the cells that it changed marked."""
    solution = answer.solution
    if solution.trajectory is None:
        raise ValueError("watching needs a solver with trace=True")
    tokens = answer.entry.puzzle.tokens
    number = solution.index + 1
    frames = [_Frame(f"#{number}, the puzzle", picture(task.draw(tokens, tokens), encoding))]
    previous = np.asarray(tokens)
    for step, prediction in enumerate(solution.trajectory):
        percent = 100 * float(confidence(solution.q_halt[step]))
        changes = _changed_cells(prediction, previous)
        title = f"#{number}, step {step + 1}: confidence {percent:.1f} %, {changes}"
        drawing = task.draw_step(prediction, tokens, previous)
        frames.append(_Frame(title, picture(drawing, encoding)))
        previous = prediction
    return frames


def _changed_cells(prediction: NDArray[np.integer], previous: NDArray[np.integer]) -> str:
    count = int(np.count_nonzero(prediction != previous))
    return "1 cell changed" if count == 1 else f"{count} cells changed"
