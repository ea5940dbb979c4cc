"""Parsers of text that anyone may have written: each reads bytes, and only our errors come out."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.fuzz.damage import refusal
from tests.toys import BASE
from trm_edge.calibration.recipe import CalibrationRecipe
from trm_edge.calibration.recipe_file import read_recipe
from trm_edge.manifest import Manifest
from trm_edge.regression.budgets import Budgets
from trm_edge.targets.profiles import load_profile
from trm_edge.tasks import task_named
from trm_edge.tasks.base import BadLine, Task
from trm_edge.tasks.lines import Lines

CORPUS = Path(__file__).parent / "corpus"
_MAX_ENTRIES = 1000
_TASKS = (
    task_named("sudoku", replace(BASE, seq_len=81, vocab_size=11)),
    task_named("maze", replace(BASE, seq_len=36, vocab_size=6)),
    task_named("tokens", BASE),
)


def read_puzzles(content: bytes) -> None:
    """Read text or CSV as every task does; what is read has to be a puzzle of the model."""
    for task in _TASKS:
        _read_as(task, content)


def _read_as(task: Task, content: bytes) -> None:
    lines = Lines(io.BufferedReader(io.BytesIO(content)), "puzzles")

    def run() -> None:
        for number, item in enumerate(task.read_source(lines)):
            if number > _MAX_ENTRIES:
                return
            if isinstance(item, BadLine):
                assert item.reason
                continue
            tokens = item.puzzle.tokens
            assert tokens.shape == (task.config.seq_len,)
            assert 0 <= tokens.min() <= tokens.max() < task.config.vocab_size
            task.text(tokens)
            task.draw(tokens)

    refusal(run)


def read_toml_files(content: bytes) -> None:
    """Read budgets, a calibration recipe and a target profile."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "some-board.toml"
        path.write_bytes(content)
        refusal(lambda: Budgets.read(path))
        refusal(lambda: read_recipe(path, "int8", CalibrationRecipe()))
        refusal(lambda: load_profile(str(path)))


def read_manifest(content: bytes) -> None:
    """Read ``manifest.json``, and write what was read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "manifest.json"
        path.write_bytes(content)
        refusal(lambda: Manifest.read(path).to_json())


PARSERS: dict[str, Callable[[bytes], None]] = {
    "puzzles": read_puzzles,
    "toml": read_toml_files,
    "manifest": read_manifest,
}
