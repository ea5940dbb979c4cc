"""A picture of accuracy over ACT steps (adaptive computation time), by explorer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

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
    mpl.rcParams.update({"font.size": 10, "svg.hashsalt": "trm-edge", "svg.fonttype": "none"})
    panels: dict[str, dict[str, Any]] = {}
    for key, rows in results.items():
        subject, precision, rest = key.split(", ", 2)
        puzzles, _, explorer = rest.rpartition(": ")
        if precision == "int8" and rows:
            curves = panels.setdefault(f"{subject}, {puzzles}", {})
            curves[explorer.rpartition(", ")[0]] = rows
    figure, axes = plt.subplots(1, len(panels), figsize=(4.6 * len(panels), 4.4), squeeze=False)
    for panel, (title, curves) in zip(axes[0], panels.items(), strict=True):
        _draw_panel(panel, title, curves)
    axes[0][0].legend(fontsize=8, frameon=False, loc="lower right")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None}, facecolor="white")


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
    panel.set_xscale("log", base=2)
    panel.set_xticks(_TICKS, labels=_TICKS)
    panel.set_xlabel("ACT steps per puzzle")
    panel.set_ylabel("exact match, %")
    panel.set_title(f"{title}, INT8", fontsize=9)
    panel.grid(alpha=0.3)
    panel.spines[["top", "right"]].set_visible(False)
