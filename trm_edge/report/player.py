"""The HTML of a refinement; ``player.js`` brings it to life."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trm_edge.report.markup import Markup, element
from trm_edge.report.refinement import Refinement


@dataclass(frozen=True)
class Played:
    """What stands in the page, and what the script needs to play it."""

    markup: Markup
    data: dict[str, Any]


def player(one: Refinement, place: int) -> Played:
    """A board with its controls. Without scripts it shows the answer.

    Args:
        place: among the players of the page, from 0.
    """
    steps = len(one.steps)
    end = {True: "right", False: "not right", None: "not judged"}[one.right]
    stop = "stops there" if one.halted else "has no more steps"
    caption = (
        f"{one.label}: held-out puzzle {one.number} of the task {one.task}. It {stop} after "
        f"{steps} step{'' if steps == 1 else 's'}; its answer is {end}."
    )
    slider = element(
        "input",
        type="range",
        min="0",
        max=str(steps),
        value="0",
        step="1",
        aria_label="Step, 0 is the puzzle",
    )
    play = element("button", "Play", type="button", class_="play")
    back = element("button", "◂", type="button", class_="back", aria_label="One step back")
    on = element("button", "▸", type="button", class_="on", aria_label="One step on")
    figure = element(
        "figure",
        element("figcaption", caption),
        element("div", _board(one), class_="stage"),
        element("div", play, back, slider, on, class_="controls"),
        element("p", class_="now", role="status"),
        element("ol", *_bars(one), class_="sure", aria_label="How sure the halting head is"),
        class_="refinement",
        id=f"refinement-{place}",
    )
    data = {
        "looks": one.looks,
        "puzzle": one.puzzle,
        "steps": one.steps,
        "changed": [one.changed(step) for step in range(1, steps + 1)],
        "confidence": [round(sure, 4) for sure in one.confidence],
    }
    return Played(figure, data)


def _board(one: Refinement) -> Markup:
    cells = []
    for given, token in zip(one.puzzle, one.steps[-1], strict=True):
        text, kind = one.looks[token]
        classes = f"{kind} given" if given == token else kind
        cells.append(element("span", text, class_=classes, style=f"--token: {token}"))
    return element(
        "div",
        *cells,
        class_=f"board {one.task}",
        role="img",
        aria_label=f"Board of the task {one.task}",
        style=f"--columns: {one.columns}",
    )


def _bars(one: Refinement) -> list[Markup]:
    return [
        element(
            "li",
            element("span", f"{100 * sure:.0f}"),
            style=f"--min-confidence: {sure:.4f}",
            title=f"step {step}: {100 * sure:.1f} % sure",
        )
        for step, sure in enumerate(one.confidence, 1)
    ]
