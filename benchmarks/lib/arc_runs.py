"""Runs over ARC tasks with an engine that computes nothing, or with random weights."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import onnx

from lib.null_backend import NullBackend
from lib.published_sizes import SIZES, random_model
from trm_edge import __version__
from trm_edge.arc.augmentation import parse_name
from trm_edge.arc.plan import Plan, make_plan
from trm_edge.arc.rows import TaskRows
from trm_edge.arc.run import ArcRun
from trm_edge.arc.run_folder import RunFolder, RunSettings
from trm_edge.arc.task import ArcTask
from trm_edge.arc.test_set import TestSet
from trm_edge.backends.fake import FAKE_CONFIG
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.export.step_graph import step_graph
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solver import Solver

SIZE = "Maze and ARC attention"
SLOTS = 256


@dataclass(frozen=True)
class Slice:
    """A part of a run with a model.

    Args:
        questions: that were asked.
        steps: ACT steps of each.
        seconds: that they took, the files included.
    """

    questions: int
    steps: int
    seconds: float


def run_without_model(tasks: Sequence[ArcTask], names: Sequence[str], folder: Path) -> int:
    """Ask every question of tasks of an engine that computes nothing, and write all files.

    Args:
        tasks: with their outputs.
        names: of the rows of the table.
        folder: of the run.

    Returns:
        The number of questions.
    """
    plan = make_plan(tasks, TaskRows(names, len(names), [task.name for task in tasks]), None)
    config = replace(FAKE_CONFIG, seq_len=900, vocab_size=12, num_puzzle_identifiers=len(names))
    with Solver(NullBackend(config), batch=SLOTS) as solver:
        _run(tasks, plan, folder, solver)
    return plan.questions


def run_slice(
    task: ArcTask, names: Sequence[str], questions: int, steps: int, threads: int
) -> Slice:
    """Ask a few questions of a float32 model of the published size with random weights.

    Args:
        task: whose first variants are asked.
        names: of the rows of the table.
        questions: of which each test input of the task gets its share.
        steps: ACT steps of each.
        threads: CPU threads.
    """
    rounds = max(1, questions // len(task.tests))
    rows = TaskRows(names, len(names), [task.name])
    plan = make_plan([task], rows, rounds - 1)
    model = random_model(SIZE)
    config = replace(SIZES[SIZE], num_puzzle_identifiers=len(names))
    table = np.zeros((len(names), config.puzzle_emb_ndim), np.float32)
    halting = HaltingRule.from_config(config, "fixed", max_steps=steps)
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / "step.onnx"
        onnx.save(step_graph(model), graph)
        backend = OnnxRuntimeBackend(graph, config, threads=threads)
        with Solver(backend, table, halting=halting, batch=plan.questions) as solver:
            outcome = _run([task], plan, Path(folder) / "run", solver)
    return Slice(plan.questions, steps, outcome)


def _run(tasks: Sequence[ArcTask], plan: Plan, folder: Path, solver: Solver) -> float:
    """Run to the end, and return the seconds."""
    by_name = {task.name: task for task in tasks}
    test_set = TestSet(folder, by_name, plan.names, (), lru_cache(4096)(parse_name))
    settings = RunSettings(
        version=__version__,
        bundle="",
        target="cpu",
        halting=str(solver.halting),
        augmentations=None,
        until_decided=None,
        leaders="pair",
        votes_by="votes",
        questions=plan.sha256(),
    )
    run = ArcRun(plan, test_set, RunFolder(folder, test_set, are_known=True, grids=10), settings)
    return run.solve(solver).seconds
