"""Panels of accuracy over ACT steps (adaptive computation time), drawn alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt


def step_panels(
    count: int, width: float, *, columns: int | None = None
) -> tuple[Any, Sequence[Any]]:
    """Make rows of panels.

    Args:
        count: number of panels.
        width: of each, in inches.
        columns: panels in a row; all in one row by default.

    Returns:
        The figure and its panels.
    """
    mpl.rcParams.update({"font.size": 10, "svg.hashsalt": "trm-edge", "svg.fonttype": "none"})
    columns = min(columns or count, count)
    rows = -(-count // columns)
    size = (width * columns, 4.4 * rows)
    figure, panels = plt.subplots(rows, columns, figsize=size, squeeze=False)
    for unused in panels.ravel()[count:]:
        unused.remove()
    return figure, list(panels.ravel()[:count])


def label_panel(panel: Any, ticks: Sequence[int]) -> None:
    """Label the axes of a panel.

    Args:
        panel: of :func:`step_panels`.
        ticks: numbers of steps on the axis.
    """
    panel.set_xscale("log", base=2)
    panel.set_xticks(ticks, labels=ticks)
    panel.set_xlabel("ACT steps per puzzle")
    panel.set_ylabel("exact match, %")
    panel.grid(alpha=0.3)
    panel.spines[["top", "right"]].set_visible(False)


def save_panels(figure: Any, panels: Sequence[Any], path: Path) -> None:
    """Write a figure, the same bytes for the same content, with a legend in its first panel.

    Args:
        figure: of :func:`step_panels`.
        panels: its panels.
        path: the SVG file.
    """
    panels[0].legend(fontsize=8, frameon=False, loc="lower right")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None}, facecolor="white")
