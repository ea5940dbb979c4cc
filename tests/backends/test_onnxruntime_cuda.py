"""The calls for a GPU, made on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.backends.perturbed import perturbed
from tests.toys import VARIANTS, toy_model, toy_table, toy_tokens
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.backends.onnxruntime_cuda import OnnxRuntimeCudaBackend
from trm_edge.errors import BackendError
from trm_edge.export.step_graph import step_graph
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle


@pytest.mark.parametrize("is_perturbed", [False, True])
@pytest.mark.parametrize("name", ["q-continue", "no-embedding-rope"])
def test_solves_as_its_base_does(name: str, is_perturbed: bool, tmp_path: Path) -> None:
    config = VARIANTS[name]
    path = tmp_path / "step.onnx"
    onnx.save(step_graph(toy_model(config)), path)
    puzzles = [Puzzle(tokens) for tokens in toy_tokens(config, 11)]
    if is_perturbed:
        puzzles = perturbed(puzzles, config)
    solutions = []
    for backend in (
        OnnxRuntimeBackend(path, config, threads=1),
        OnnxRuntimeCudaBackend(path, config, device="cpu"),
    ):
        with Solver(backend, toy_table(config), batch=4) as solver:
            solutions.append({solution.index: solution for solution in solver.solve(puzzles)})
    on_cpu, on_gpu = solutions
    for index, solution in on_cpu.items():
        assert on_gpu[index].steps == solution.steps
        np.testing.assert_array_equal(on_gpu[index].answer, solution.answer)
        np.testing.assert_allclose(on_gpu[index].q_halt, solution.q_halt, atol=1e-4)


def test_falling_back_to_the_cpu_is_refused(tmp_path: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has the provider")
    config = VARIANTS["mlp"]
    path = tmp_path / "step.onnx"
    onnx.save(step_graph(toy_model(config)), path)
    with (
        pytest.raises(
            BackendError,
            match=r"cannot use CUDAExecutionProvider and fell back to CPU.*--target cpu",
        ),
        pytest.warns(UserWarning, match="CUDAExecutionProvider"),
    ):
        OnnxRuntimeCudaBackend(path, config).activate()
