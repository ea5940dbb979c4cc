"""A model without weights that votes on ARC tasks, and runs with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.arc.augmentation import Augmentation, parse_name
from trm_edge.arc.plan import Plan, make_plan
from trm_edge.arc.rows import TaskRows
from trm_edge.arc.run import ArcRun
from trm_edge.arc.run_folder import RunFolder, RunSettings
from trm_edge.arc.stopping import StoppingRule
from trm_edge.arc.task import ArcTask, parse_task
from trm_edge.arc.test_set import TestSet
from trm_edge.backends.base import HaltingLogits
from trm_edge.backends.fake import FAKE_CONFIG, FakeBackend
from trm_edge.loop.solver import Solver

CANVAS = replace(
    FAKE_CONFIG, seq_len=900, vocab_size=12, halt_max_steps=3, num_puzzle_identifiers=1000
)
SETTINGS = RunSettings("0", "b" * 64, "cpu", "adaptive", None, None, "pair", "votes", "q" * 64)


def parsed(name: str, inputs: list[list[list[int]]], outputs: list[Any] | None = None) -> ArcTask:
    """A task with these test inputs; the outputs are the inputs, unless others are named."""
    tests = []
    for question, answer in zip(inputs, outputs or inputs, strict=True):
        tests.append({"input": question, "output": answer})
    return parse_task(name, {"train": [{"input": [[1]], "output": [[1]]}], "test": tests})


def names_of(tasks: list[ArcTask], variants: int) -> list[str]:
    """Names of a table's rows: each task, and as many turned and recoloured variants."""
    names = ["<blank>"]
    for task in tasks:
        names.append(task.name)
        for number in range(variants):
            permutation = "0" + "".join(str(1 + (digit + number) % 9) for digit in range(9))
            names.append(Augmentation(number % 8, permutation).name(task.name))
    return names


class Copier(FakeBackend):
    """Answers each question with itself; every third with its first cell in another colour.

    Args:
        stop_after: steps after which the process is interrupted, as by Ctrl-C.
    """

    def __init__(self, stop_after: int | None = None) -> None:
        super().__init__(CANVAS)
        self.stop_after = stop_after

    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        if self.stop_after is not None and self.steps_run >= self.stop_after:
            raise KeyboardInterrupt
        return super().step(tokens, puzzle_embedding, reset)

    def logits(self, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        logits = super().logits(slots)
        for slot, tokens in zip(logits, self._tokens[slots], strict=True):
            if int(tokens @ np.arange(900)) % 3 == 0:
                slot[0] = 0
                slot[0, 2 + (tokens[0] - 1) % 10] = 1
        return logits


class Arranged:
    """Tasks, a table for them, and the plan of a run."""

    def __init__(self, tasks: list[ArcTask], variants: int = 12) -> None:
        self.tasks = tasks
        names = names_of(tasks, variants)
        self.rows = TaskRows(names, len(names), [task.name for task in tasks])
        self.plan: Plan = make_plan(tasks, self.rows, None)

    def test_set(self, folder: Path) -> TestSet:
        tasks = {task.name: task for task in self.tasks}
        return TestSet(folder, tasks, self.plan.names, (), parse_name)

    def run(
        self, folder: Path, *, rule: StoppingRule | None = None, save_seconds: float = 30.0
    ) -> ArcRun:
        test_set = self.test_set(folder)
        files = RunFolder(folder, test_set, are_known=True, grids=10)
        return ArcRun(self.plan, test_set, files, SETTINGS, rule=rule, save_seconds=save_seconds)


def voting_solver(backend: FakeBackend | None = None, batch: int = 4) -> Solver:
    return Solver(backend or Copier(), batch=batch)
