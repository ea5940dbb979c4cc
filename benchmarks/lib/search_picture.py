"""A picture of accuracy over ACT steps (adaptive computation time), by explorer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lib.search_tables import DEPTH, Part, Results
from lib.step_panels import label_panel, save_panels, step_panels

_COLOURS = {
    "forms": "#2da44e",
    "noise 0.3": "#cf222e",
    "noise 1": "#d9822b",
    "start 1": "#8250df",
    "forms, noise 0.3": "#1f6feb",
    "noise 0.3, depth": "#bf3989",
    "start 1, depth": "#9a6700",
    DEPTH: "#8a8f98",
}
_TICKS = [1, 2, 4, 8, 16, 32, 64, 128, 256]
_COLUMNS = 2


def draw(results: Results, path: Path) -> None:
    """Draw a panel for each model and set of puzzles, in INT8: exact match over mean steps.

    Solid lines choose the first valid answer, dotted ones the most frequent. Depth is solid where
    halting is adaptive, and dotted where it is fixed.

    Args:
        results: content of search.json.
        path: the SVG file.
    """
    panels: dict[str, list[Part]] = {}
    for part in results.values():
        if part["precision"] == "int8" and part["explorer"] in _COLOURS:
            panels.setdefault(f"{part['model']}, {part['puzzles']}", []).append(part)
    figure, axes = step_panels(len(panels), 5.6, columns=_COLUMNS)
    for panel, (title, parts) in zip(axes, panels.items(), strict=True):
        for part in parts:
            _draw_part(panel, part)
        label_panel(panel, _TICKS)
        panel.set_title(f"{title}, INT8", fontsize=9)
    save_panels(figure, axes, path)


def _draw_part(panel: Any, part: Part) -> None:
    explorer = part["explorer"]
    names = ("adaptive", "fixed") if explorer == DEPTH else ("valid", "mode")
    for name, style in zip(names, ("-", ":"), strict=True):
        rows = list(part["rows"][name].values())
        panel.plot(
            [row["steps"] for row in rows],
            [100 * row["exact"] for row in rows],
            style,
            marker="o",
            ms=3.5,
            color=_COLOURS[explorer],
            label=f"{explorer}: {name}",
        )
