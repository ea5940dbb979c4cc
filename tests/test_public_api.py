"""The public names of ``import trm_edge``: the list, its types, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import trm_edge
from trm_edge import errors

ROOT = Path(__file__).parents[1]
PUBLIC = [
    "Backend",
    "Bundle",
    "Exploration",
    "FakeBackend",
    "HaltingRule",
    "Puzzle",
    "Rollouts",
    "Solution",
    "Solver",
    "__version__",
    "errors",
    "load",
    "selector_for",
]
HEAVY = ("numpy", "click", "rich", "torch", "onnx", "onnxruntime", "msgspec")


def loaded_by(statement: str) -> set[str]:
    """Top-level packages that a statement imports, in a process of its own."""
    script = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_the_list_of_names() -> None:
    assert trm_edge.__all__ == PUBLIC
    assert set(PUBLIC) <= set(dir(trm_edge))


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_resolves(name: str) -> None:
    value = getattr(trm_edge, name)
    if name not in ("__version__", "errors"):
        assert value.__name__ == name
        assert value.__doc__


def test_errors_are_a_module() -> None:
    assert trm_edge.errors is errors


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'trm_edge' has no attribute 'Solvers'"):
        trm_edge.Solvers  # noqa: B018


def test_a_star_import_brings_the_names() -> None:
    names: dict[str, object] = {}
    exec("from trm_edge import *", names)
    assert set(PUBLIC) <= set(names)


def test_importing_it_loads_nothing() -> None:
    assert not loaded_by("import trm_edge; dir(trm_edge)") & set(HEAVY)


def test_using_it_loads_no_more_than_the_base_install() -> None:
    loaded = loaded_by("from trm_edge import *")
    assert not loaded & {"torch", "onnx", "onnxruntime", "click", "rich", "modelopt", "yaml"}


def test_the_pytest_plugin_costs_little() -> None:
    assert not loaded_by("import trm_edge.pytest_plugin") & set(HEAVY)


def test_a_user_s_script_passes_a_strict_type_check(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            from collections.abc import Iterator

            import numpy as np

            import trm_edge
            from trm_edge import Exploration, FakeBackend, HaltingRule, Puzzle, Rollouts
            from trm_edge import Solution, Solver, selector_for


            def answers(path: str, puzzles: str) -> Iterator[Solution]:
                bundle = trm_edge.load(path)
                halting = HaltingRule.from_config(bundle.config, "fixed")
                with bundle.solver(batch=8, halting=halting) as solver:
                    yield from solver.solve(bundle.task().puzzles(puzzles), ordered=True)


            def attempts(path: str, puzzle: Puzzle) -> float:
                bundle: trm_edge.Bundle = trm_edge.load(path)
                with bundle.solver() as solver:
                    task = bundle.task()
                    exploration = Exploration(8, task.augmentations(8), noise=0.3)
                    rollouts = Rollouts(solver, exploration, selector_for(task, "mode"))
                    solution = rollouts.solve_one(puzzle)
                return solution.confidence


            try:
                with Solver(FakeBackend()) as solver:
                    for solution in solver.solve([Puzzle(np.ones(81, np.int32))]):
                        print(solution.index, solution.answer.tolist(), trm_edge.__version__)
            except trm_edge.errors.TrmEdgeError as error:
                print(error)
            """
        )
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache")),
            *("--config-file", str(ROOT / "pyproject.toml"), str(script)),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    run = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert run.stdout.startswith("0 [1, 1,"), run.stderr
