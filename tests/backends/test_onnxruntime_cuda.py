"""The calls for a device, made on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.toys import VARIANTS, toy_model, toy_table, toy_tokens
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.backends.onnxruntime_cuda import OnnxRuntimeCudaBackend
from trm_edge.errors import BackendError
from trm_edge.export.step_graph import step_graph
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle


@pytest.mark.parametrize("name", ["q-continue", "no-embedding-rope"])
def test_solves_as_its_base_does(name: str, tmp_path: Path) -> None:
    config = VARIANTS[name]
    path = tmp_path / "step.onnx"
    onnx.save(step_graph(toy_model(config)), path)
    puzzles = [Puzzle(row) for row in toy_tokens(config, 11)]
    found = []
    for backend in (
        OnnxRuntimeBackend(path, config, threads=1),
        OnnxRuntimeCudaBackend(path, config, device="cpu"),
    ):
        with Solver(backend, toy_table(config), batch=4) as solver:
            found.append({solution.index: solution for solution in solver.solve(puzzles)})
    for index, solution in found[0].items():
        assert found[1][index].steps == solution.steps
        np.testing.assert_array_equal(found[1][index].answer, solution.answer)
        np.testing.assert_allclose(found[1][index].q_halt, solution.q_halt, atol=1e-4)


def test_a_runtime_that_falls_back_is_refused(tmp_path: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has the provider")
    config = VARIANTS["mlp"]
    path = tmp_path / "step.onnx"
    onnx.save(step_graph(toy_model(config)), path)
    with (
        pytest.raises(
            BackendError,
            match=r"asked for CUDAExecutionProvider, but runs CPUExecutionProvider: .*--target cpu",
        ),
        pytest.warns(UserWarning, match="CUDAExecutionProvider"),
    ):
        OnnxRuntimeCudaBackend(path, config).activate()
