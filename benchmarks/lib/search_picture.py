"""A picture of accuracy over ACT steps (adaptive computation time), by explorer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lib.step_panels import label_panel, save_panels, step_panels

_COLOURS = {
    "forms": "#2da44e",
    "noise 0.3": "#cf222e",
    "noise 1": "#d9822b",
    "start 1": "#8250df",
    "forms, noise 0.3": "#1f6feb",
    "depth": "#8a8f98",
}
_TICKS = [1, 2, 4, 8, 16, 32, 64, 128, 256]


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw a panel for each model and set of puzzles, in INT8: exact match over mean steps.

    Args:
        results: content of search.json.
        path: the SVG file.
    """
    panels: dict[str, dict[str, Any]] = {}
    for key, rows in results.items():
        subject, precision, rest = key.split(", ", 2)
        puzzles, _, explorer = rest.rpartition(": ")
        if precision == "int8" and rows:
            curves = panels.setdefault(f"{subject}, {puzzles}", {})
            curves[explorer.rpartition(", ")[0]] = rows
    figure, axes = step_panels(len(panels), 4.6)
    for panel, (title, curves) in zip(axes, panels.items(), strict=True):
        _draw_panel(panel, title, curves)
    save_panels(figure, axes, path)


def _draw_panel(panel: Any, title: str, curves: dict[str, Any]) -> None:
    for explorer, rows in curves.items():
        prefixes = ("q", "mode")
        if explorer == "depth":
            prefixes = ("adaptive", "fixed")
        for prefix, style in zip(prefixes, ("-", ":"), strict=True):
            chosen = [row for name, row in rows.items() if name.startswith(f"{prefix}, ")]
            panel.plot(
                [row["steps"] for row in chosen],
                [100 * row["exact"] for row in chosen],
                style,
                marker="o",
                ms=3.5,
                color=_COLOURS.get(explorer, "#000000"),
                label=f"{explorer}: {prefix}",
            )
    label_panel(panel, _TICKS)
    panel.set_title(f"{title}, INT8", fontsize=9)
