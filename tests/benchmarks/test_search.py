"""A search measures what the solver gives, and its tables state what its parts measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.benchmarks import scripts
from tests.loop.carrying import CarryingBackend
from trm_edge.backends.fake import FAKE_CONFIG
from trm_edge.evaluation.statistics import paired_drop
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solver import Solver
from trm_edge.progress import silent
from trm_edge.puzzle import Puzzle
from trm_edge.tasks import task_for


def test_a_gain_has_the_interval_of_paired_flips() -> None:
    differences = np.array([1] * 7 + [-1] * 2 + [0] * 91)
    gain = scripts.library("paired_gains").mean_gain(differences)
    low, high = paired_drop(2, 7, 100)
    assert gain == pytest.approx((0.05, -high, -low))
    assert gain.points == "+5.0 (-1.1 to +10.9)"


def test_no_differences_prove_little() -> None:
    gains = scripts.library("paired_gains")
    assert gains.mean_gain(np.zeros(10, np.int64)).high > 0.1
    assert gains.mean_gain(np.zeros(1000, np.int64)).high < 0.002


def test_the_deepest_dead_end_counts() -> None:
    pytest.importorskip("numba", reason="needs pip install 'trm-edge[train]'")
    wall, is_open, start, goal, way = 1, 2, 3, 4, 5
    forked = [start, is_open, goal, wall, is_open, wall, wall, is_open, wall]
    straight = [start, is_open, goal, wall, wall, wall, wall, wall, wall]
    tokens = np.array([forked, straight], np.uint8)
    labels = tokens.copy()
    labels[:, 1] = way
    assert scripts.library("search_puzzles").filling_rounds(tokens, labels).tolist() == [2, 0]


def test_explorers_combine() -> None:
    task = task_for(FAKE_CONFIG)
    explorers = {each.name: each for each in scripts.library("search_explorers").EXPLORERS}
    both = explorers["forms, noise 0.3"].exploration(task, 4)
    assert (both.tries, len(both.augmentations), both.noise, both.start) == (4, 4, 0.3, 0.0)
    start = explorers["start 1, depth"].exploration(task, 4)
    assert (start.tries, len(start.augmentations), start.noise, start.start) == (4, 0, 0.0, 1.0)
    deep = explorers["start 1, depth"].rule(FAKE_CONFIG)
    assert (deep.mode, deep.max_steps, deep.unchanged) == ("adaptive", 64, 4)
    fixed = explorers["noise 1, fixed halting"].rule(FAKE_CONFIG)
    assert (fixed.mode, fixed.max_steps, fixed.unchanged) == ("fixed", 16, 0)


def test_a_maze_has_as_many_tries_as_forms() -> None:
    config = replace(FAKE_CONFIG, seq_len=169, vocab_size=6)
    explorers = {each.name: each for each in scripts.library("search_explorers").EXPLORERS}
    assert explorers["forms"].exploration(task_for(config), 32).tries == 8
    assert explorers["forms, noise 0.3"].exploration(task_for(config), 32).tries == 32


class FakeSubject:
    """A model that answers each puzzle with the puzzle, so that complete grids are solved."""

    name = "fake"
    config = FAKE_CONFIG
    task = task_for(FAKE_CONFIG)

    def sets(self) -> list[Any]:
        """Return one set of a solved grid and of one that repeats a digit."""
        row, column = np.divmod(np.arange(81), 9)
        solved = (3 * (row % 3) + row // 3 + column) % 9 + 2
        tokens = np.stack([solved, solved]).astype(np.int32)
        tokens[1, 0] = tokens[1, 1]
        puzzles = [Puzzle(grid) for grid in tokens]
        return [scripts.library("tries").PuzzleSet("grids", puzzles, np.stack([solved, solved]))]

    def solver(self, precision: str, rule: HaltingRule, *, trace: bool = False) -> Solver:
        """Make a solver that needs no engine.

        Args:
            precision: not looked at.
            rule: when a puzzle stops.
            trace: keep predictions.
        """
        backend = CarryingBackend()
        return Solver(backend, halting=rule, batch=2, trace=trace, measure_changes=not trace)


def measured(*explorers: str) -> dict[str, Any]:
    parts = scripts.library("search_parts").list_parts(FakeSubject(), 4, 2, explorers)
    return {part.key: part.measure(silent) for part in parts}


def test_tries_go_on_until_an_answer_is_valid() -> None:
    results = measured("noise 1")
    assert list(results) == [
        "fake, float32, 2 grids: noise 1, 4 tries",
        "fake, int8, 2 grids: noise 1, 4 tries",
    ]
    rows = results["fake, int8, 2 grids: noise 1, 4 tries"]["rows"]
    assert {name: list(counts) for name, counts in rows.items()} == {
        "valid": ["1", "2", "4"],
        "q": ["1", "2"],
        "mode": ["1", "2"],
    }
    assert rows["valid"]["4"]["tries"] == 2.5  # 1 and 4
    assert rows["q"]["2"]["tries"] == 2
    assert rows["valid"]["4"]["solved"] == "80"


def test_fixed_halting_has_the_selector_settled() -> None:
    results = measured("start 1, fixed halting")
    rows = results["fake, float32, 2 grids: start 1, fixed halting, 2 tries"]["rows"]
    assert list(rows["settled"]) == ["1", "2"]
    assert rows["settled"]["2"]["steps"] == 2 * FAKE_CONFIG.halt_max_steps


def test_depth_ends_at_each_limit() -> None:
    results = measured("depth")
    rows = results["fake, int8, 2 grids: depth, 1 tries"]["rows"]
    assert list(rows["fixed"]) == ["4", "8", "16", "32", "64"]
    assert [row["steps"] for row in rows["fixed"].values()] == [4, 8, 16, 32, 64]
    assert all(row["steps"] == 1 for row in rows["adaptive"].values())  # q_halt is above 0
    assert rows["fixed"]["64"]["exact"] == 0.5


def row(solved: str, steps: float = 3.0) -> dict[str, Any]:
    return {"exact": 0.5, "interval": [0.4, 0.6], "steps": steps, "tries": 1.0, "solved": solved}


def test_a_table_states_what_tries_gain() -> None:
    few = {"1": row("f0"), "2": row("f8")}
    part = {"model": "toy", "precision": "int8", "puzzles": "8 grids", "explorer": "forms"}
    rows = {"valid": {"1": row("f0"), "4": row("fe", 7.25)}, "q": few, "mode": few}
    float_rows = {**rows, "valid": {"1": row("f0"), "4": row("fc")}}
    float_part = {**part, "precision": "float32", "rows": float_rows}
    results = {
        "toy, float32, 8 grids: forms, 4 tries": float_part,
        "toy, int8, 8 grids: forms, 4 tries": {**part, "rows": rows},
    }
    tables = scripts.library("search_tables").summaries(results)
    assert list(tables) == ["toy search"]
    cells = [cell.strip() for cell in tables["toy search"].splitlines()[-1].split("|")[1:-1]]
    assert cells[:6] == ["8 grids", "forms", "50.0", "4", "50.0", "7.2"]
    assert [cell.split(" ")[0] for cell in cells[6:9]] == ["+25.0", "+37.5", "+12.5"]
    assert cells[9:13] == ["2", "50.0", "50.0", ""]
    assert cells[13].startswith("+0.0 (")


def test_a_table_counts_what_depth_flips() -> None:
    limits = {"4": row("c0"), "8": row("c0"), "16": row("e0"), "32": row("f0"), "64": row("d0")}
    part = {"model": "toy", "precision": "int8", "puzzles": "8 grids", "explorer": "depth"}
    results = {}
    for precision in ("float32", "int8"):
        results[f"toy, {precision}, 8 grids: depth, 1 tries"] = {
            **part,
            "precision": precision,
            "rows": {"fixed": limits, "adaptive": limits},
        }
    table = scripts.library("search_tables").summaries(results)["toy depth"]
    last = table.splitlines()[-1]
    assert last.startswith("| 8 grids | INT8 | adaptive | 50.0 (40.0 - 60.0) |")
    assert last.endswith("| 50.0 (40.0 - 60.0), -0 +1 | 50.0 (40.0 - 60.0), -1 +1 |")
