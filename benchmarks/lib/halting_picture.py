"""The accuracy/steps curves as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

_COLOURS = {
    "fixed, N steps": "#8a8f98",
    "adaptive, threshold": "#1f6feb",
    "unchanged for K steps": "#d9822b",
    "forms of the puzzle": "#2da44e",
    "a random start": "#8250df",
    "noise before every step": "#cf222e",
}


def draw(report: dict[str, Any], path: Path) -> None:
    """One panel a model: exact match over the ACT steps that a puzzle costs on average."""
    mpl.rcParams.update({"font.size": 10, "svg.hashsalt": "trm-edge", "svg.fonttype": "none"})
    figure, panels = plt.subplots(1, len(report), figsize=(5.6 * len(report), 4.4), squeeze=False)
    for panel, (name, found) in zip(panels[0], report.items(), strict=True):
        for what in ("fixed, N steps", "adaptive, threshold", "unchanged for K steps"):
            _curve(panel, what, found["rules"][what])
        for what, values in found["rollouts"].items():
            chosen = {
                key.split()[2]: value
                for key, value in values.items()
                if key.startswith("threshold 2,") and key.endswith("sure 1")
            }
            _curve(panel, what, chosen, label=f"{what}: 1, 2, 4, 8 tries", style="--")
        low = min(value["exact"] for value in found["rules"]["adaptive, threshold"].values())
        panel.set_ylim(100 * low - 3, 100.5)
        panel.set_xscale("log", base=2)
        panel.set_xticks([1, 2, 4, 8, 16, 32, 64, 128], labels=[1, 2, 4, 8, 16, 32, 64, 128])
        panel.set_xlabel("ACT steps a puzzle")
        panel.set_ylabel("exact match, %")
        panel.set_title(f"{name}, INT8")
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0][0].legend(fontsize=8, frameon=False, loc="lower right")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None}, facecolor="white")


def _curve(
    panel: Any, what: str, values: dict[Any, Any], label: str | None = None, style: str = "-"
) -> None:
    x = [value["steps"] for value in values.values()]
    y = [100 * value["exact"] for value in values.values()]
    panel.plot(x, y, style, marker="o", ms=3.5, color=_COLOURS[what], label=label or what)
    if what == "adaptive, threshold":
        for key, one in values.items():
            if float(key) in (0, 2, 4):
                at = (one["steps"], 100 * one["exact"])
                panel.annotate(
                    f"{float(key):g}",
                    at,
                    xytext=(0, -11),
                    textcoords="offset points",
                    fontsize=8,
                    color=_COLOURS[what],
                    ha="center",
                )
