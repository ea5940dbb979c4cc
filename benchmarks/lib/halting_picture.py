"""A picture of accuracy over ACT (adaptive computation time) steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lib.step_panels import label_panel, save_panels, step_panels

_COLOURS = {
    "fixed, N steps": "#8a8f98",
    "adaptive, threshold": "#1f6feb",
    "unchanged for K steps": "#d9822b",
    "augmentations": "#2da44e",
}
_RULES = ("fixed, N steps", "adaptive, threshold", "unchanged for K steps")
_ANNOTATED = (0, 2, 4)  # thresholds
_STEP_TICKS = [1, 2, 4, 8, 16, 32, 64, 128]


def draw(report: dict[str, Any], path: Path) -> None:
    """Draw a panel for each model: exact match over the mean number of ACT steps per puzzle.

    Args:
        report: content of halting.json.
        path: the SVG file.
    """
    figure, panels = step_panels(len(report), 5.6)
    for panel, (name, result) in zip(panels, report.items(), strict=True):
        _draw_panel(panel, name, result)
    save_panels(figure, panels, path)


def _draw_panel(panel: Any, name: str, result: dict[str, Any]) -> None:
    for rule in _RULES:
        _draw_curve(panel, rule, result["rules"][rule], rule, "-")
    thresholds = result["rules"]["adaptive, threshold"]
    _annotate_thresholds(panel, thresholds)
    for source, rows in result["rollouts"].items():
        chosen = {}
        for key, row in rows.items():
            if key.startswith("threshold 2,") and key.endswith("confidence 1"):
                chosen[key] = row
        _draw_curve(panel, source, chosen, f"{source}: 1, 2, 4, 8 tries", "--")
    lowest = min(row["exact"] for row in thresholds.values())
    panel.set_ylim(100 * lowest - 3, 100.5)
    label_panel(panel, _STEP_TICKS)
    panel.set_title(f"{name}, INT8")


def _draw_curve(panel: Any, name: str, rows: dict[str, Any], label: str, style: str) -> None:
    steps = [row["steps"] for row in rows.values()]
    exact = [100 * row["exact"] for row in rows.values()]
    panel.plot(steps, exact, style, marker="o", ms=3.5, color=_COLOURS[name], label=label)


def _annotate_thresholds(panel: Any, rows: dict[str, Any]) -> None:
    for threshold, row in rows.items():
        if float(threshold) not in _ANNOTATED:
            continue
        panel.annotate(
            f"{float(threshold):g}",
            (row["steps"], 100 * row["exact"]),
            xytext=(0, -11),
            textcoords="offset points",
            fontsize=8,
            color=_COLOURS["adaptive, threshold"],
            ha="center",
        )
