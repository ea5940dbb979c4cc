"""HTML of a refinement; ``player.js``, which the site of trm-edge page has as well, animates it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trm_edge.report.markup import Markup, element
from trm_edge.report.refinement import Refinement

_VERDICTS = {True: "correct", False: "wrong", None: "not judged"}


@dataclass(frozen=True)
class Player:
    """A refinement on the page.

    Args:
        markup: its HTML; without scripts it shows the answer.
        data: what the script needs to play it.
    """

    markup: Markup
    data: dict[str, Any]


def render_player(refinement: Refinement, index: int) -> Player:
    """Build the board of a refinement with its controls.

    Args:
        refinement: the puzzle and its steps.
        index: position among the players of the page, from 0.
    """
    steps = range(1, len(refinement.steps) + 1)
    board = element("div", _board(refinement), class_="stage")
    bars = element(
        "ol",
        *_confidence_bars(refinement),
        class_="confidence",
        aria_label="Confidence of the halting head by step",
    )
    figure = element(
        "figure",
        element("figcaption", _caption(refinement)),
        board,
        _controls(len(steps)),
        element("p", class_="status", role="status"),
        bars,
        class_="refinement",
        id=f"refinement-{index}",
    )
    data = {
        "looks": refinement.looks,
        "puzzle": refinement.puzzle,
        "steps": refinement.steps,
        "changed": [refinement.changed(step) for step in steps],
        "confidence": [round(share, 4) for share in refinement.confidence],
    }
    return Player(figure, data)


def _caption(refinement: Refinement) -> str:
    count = len(refinement.steps)
    steps = "1 step" if count == 1 else f"{count} steps"
    reason = "halts after" if refinement.halted else "reaches the step limit after"
    return (
        f"{refinement.label}: held-out puzzle {refinement.number} of the task {refinement.task}. "
        f"It {reason} {steps}; its answer is {_VERDICTS[refinement.right]}."
    )


def _controls(steps: int) -> Markup:
    slider = element(
        "input",
        type="range",
        min="0",
        max=str(steps),
        value="0",
        step="1",
        aria_label="Step; 0 shows the puzzle",
    )
    play = element("button", "Play", type="button", class_="play")
    back = element("button", "◂", type="button", class_="back", aria_label="Previous step")
    forward = element("button", "▸", type="button", class_="forward", aria_label="Next step")
    return element("div", play, back, slider, forward, class_="controls")


def _board(refinement: Refinement) -> Markup:
    cells = []
    pairs = zip(refinement.puzzle, refinement.steps[-1], strict=True)
    for cell, (clue, token) in enumerate(pairs):
        text, css_class = refinement.looks[token]
        if clue == token:
            css_class = f"{css_class} clue"
        attributes = {"class_": css_class, "style": f"--token: {token}"}
        edges = _edges(cell, refinement.columns, refinement.boxes)
        if edges:
            attributes["data_edge"] = edges
        cells.append(element("span", text, **attributes))
    return element(
        "div",
        *cells,
        class_=f"board {refinement.task}",
        role="img",
        aria_label=f"Board of the task {refinement.task}",
        style=f"--columns: {refinement.columns}",
    )


def _edges(cell: int, columns: int, boxes: tuple[int, int] | None) -> str:
    """Name the edges of a cell that are drawn in another way than the others, for page.css."""
    if boxes is None:
        return ""
    row, column = divmod(cell, columns)
    box_rows, box_columns = boxes
    edges = []
    if column == columns - 1:
        edges.append("last-column")
    elif (column + 1) % box_columns == 0:
        edges.append("right")
    if row == columns - 1:
        edges.append("last-row")
    elif (row + 1) % box_rows == 0:
        edges.append("bottom")
    return " ".join(edges)


def _confidence_bars(refinement: Refinement) -> list[Markup]:
    bars = []
    for step, share in enumerate(refinement.confidence, 1):
        bar = element(
            "li",
            element("span", f"{100 * share:.0f}"),
            style=f"--confidence: {share:.4f}",
            title=f"step {step}: {100 * share:.1f} % confidence",
        )
        bars.append(bar)
    return bars
