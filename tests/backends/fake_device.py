"""A TensorRT backend on the fakes, and ONNX Runtime's answers to the same puzzles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx

from tests.engines.fake_cuda import FakeCuda
from tests.engines.fake_runtime import fake_runtime
from tests.toys import VARIANTS, toy_model, toy_table, toy_tokens
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.backends.tensorrt import TensorRTBackend
from trm_edge.config import ModelConfig
from trm_edge.engines.cuda import Cuda
from trm_edge.engines.loaded import LoadedEngine
from trm_edge.export.step_graph import step_graph
from trm_edge.loop.solution import Solution
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle

CONFIG = VARIANTS["q-continue"]  # its toy model halts at different steps
TABLE = toy_table(CONFIG)
PUZZLES = [Puzzle(tokens, index % 3) for index, tokens in enumerate(toy_tokens(CONFIG, 23))]

Solutions = dict[int, Solution]  # by index of the puzzle


class FakeDevice:
    """A device with an engine that was built for 1 to 8 slots.

    Args:
        folder: where the engine's files are written.
        graph: the step graph that the engine computes.
        config: the model that it computes.
        overlap_slots: as of the backend; the default is never reached.
        noise: the graph has inputs for noise.
        options: as of :func:`~tests.engines.fake_runtime.fake_runtime`.
    """

    def __init__(
        self,
        folder: Path,
        graph: Path,
        config: ModelConfig = CONFIG,
        *,
        overlap_slots: int = 100,
        noise: bool = False,
        **options: Any,
    ) -> None:
        self.config = config
        self.cuda = FakeCuda()
        self.noise = noise
        self.trt = fake_runtime(self.cuda, graph, config, noise=noise, **options)
        self.engine = folder / "step.engine"
        self.cache = folder / "runtime.cache"
        self.engine.write_bytes(b"engine")
        self.backend = TensorRTBackend(
            self.load,
            config,
            cuda=lambda: Cuda(self.cuda),
            overlap_slots=overlap_slots,
            initial_states=OnnxRuntimeBackend(graph, config, noise=noise).initial_states,
        )

    def load(self) -> LoadedEngine:
        """Load the engine as the backend does."""
        return LoadedEngine(
            self.engine,
            self.config,
            "float32",
            self.trt,
            None,
            list,
            self.cache,
            noise=self.noise,
        )

    def solve(self, batch: int = 8) -> Solutions:
        """Solve the puzzles.

        Args:
            batch: number of slots.
        """
        with Solver(self.backend, TABLE, batch=batch) as solver:
            return {solution.index: solution for solution in solver.solve(PUZZLES)}

    def check(self, expected: Solutions, batch: int = 8) -> None:
        """Solve the puzzles, compare the answers, and find what was not freed.

        Args:
            expected: ONNX Runtime's solutions.
            batch: number of slots.
        """
        actual = self.solve(batch)
        assert actual.keys() == expected.keys()
        for index, solution in expected.items():
            assert actual[index].steps == solution.steps
            np.testing.assert_array_equal(actual[index].answer, solution.answer)
            np.testing.assert_allclose(actual[index].q_halt, solution.q_halt, atol=1e-4)
        assert not self.cuda.leaks()


def write_graph(folder: Path, config: ModelConfig = CONFIG, *, noise: bool = False) -> Path:
    """Write a toy's step graph.

    Args:
        folder: where it is written.
        config: of the toy.
        noise: give it inputs for noise.
    """
    path = folder / ("noisy.onnx" if noise else "step.onnx")
    onnx.save(step_graph(toy_model(config), noise=noise), path)
    return path


def expected_solutions(graph: Path, config: ModelConfig = CONFIG) -> Solutions:
    """Solve the puzzles one by one in ONNX Runtime.

    Args:
        graph: the step graph.
        config: the model that it computes.
    """
    with Solver(OnnxRuntimeBackend(graph, config, threads=1), TABLE, batch=1) as solver:
        return {solution.index: solution for solution in solver.solve(PUZZLES)}
