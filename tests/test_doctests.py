"""Every example in a docstring of the product gives what it shows."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {
    "trm_edge": ROOT / "trm_edge",
    "trm_edge.export": ROOT / "export",
    "trm_edge.calibration": ROOT / "calibration",
    "trm_edge.targets": ROOT / "targets",
    "trm_edge.training": ROOT / "training",
}
LINKS = ("export", "calibration", "targets", "training")


def modules_with_examples() -> list[str]:
    names = []
    for package, folder in FOLDERS.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            is_link = package == "trm_edge" and parts[0] in LINKS
            if is_link or ">>> " not in path.read_text(encoding="utf-8"):
                continue
            if parts[-1] == "__init__":
                parts = parts[:-1]
            names.append(".".join((package, *parts)))
    return names


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_give_what_they_show(name: str) -> None:
    module = importlib.import_module(name)
    results = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert results.failed == 0
