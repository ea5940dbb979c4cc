"""The toy built, solved and compared on a real GPU; skipped elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.toys import BASE, write_run
from trm_edge.backends.tensorrt import TensorRTBackend
from trm_edge.bundle import Bundle
from trm_edge.calibration.recipe import CalibrationRecipe
from trm_edge.cli.main import cli
from trm_edge.engines.driver import probe
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.manifest import Limits
from trm_edge.targets.export_bundle import export_bundle
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.request import ExportRequest
from trm_edge.tasks import task_for


def missing() -> str:
    """The first thing that this machine lacks for TensorRT; empty where it has all."""
    state = probe()
    if not state.gpus:
        return f"needs an NVIDIA GPU: {state.problem}"
    for module, package in (("tensorrt", "tensorrt"), ("cuda", "cuda-python")):
        if find_spec(module) is None:
            return f"needs the package {package}: pip install 'trm-edge[tensorrt]'"
    return ""


pytestmark = [pytest.mark.gpu, pytest.mark.skipif(bool(missing()), reason=missing())]


def run(*arguments: object) -> str:
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def gpu_bundle(toy_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An INT8 bundle for this machine's GPU, its engine built."""
    folder = tmp_path_factory.mktemp("gpu")
    checkpoint = load_checkpoint(write_run(folder / "run", BASE))
    capability = probe().gpus[0].compute_capability
    profile = replace(load_profile("l4"), compute_capability=capability)
    request = ExportRequest(
        checkpoint=checkpoint,
        task=task_for(checkpoint.config),
        precision="int8",
        targets=(load_profile("cpu"), profile),
        dataset=toy_dataset,
        recipe=CalibrationRecipe(puzzles=4),
        limits=Limits(max_drop=100, min_halting_agreement=0),
    )
    bundle = export_bundle(request, folder / "bundle").path
    run("build", bundle, "--target", "l4", "--compiler", "tensorrt")
    return bundle


def test_the_engine_runs_in_tensorrt(gpu_bundle: Path) -> None:
    backend = Bundle.open(gpu_bundle).backend("l4")
    assert isinstance(backend, TensorRTBackend)


def test_it_solves_nearly_as_the_cpu_does(gpu_bundle: Path) -> None:
    bundle = Bundle.open(gpu_bundle)
    puzzles = bundle.parity().puzzles()
    answers = {}
    for target in ("cpu", "l4"):
        with bundle.solver(target, batch=4) as solver:
            solutions = list(solver.solve(puzzles, ordered=True))
        answers[target] = np.stack([solution.answer for solution in solutions])
    assert (answers["cpu"] == answers["l4"]).mean() > 0.8  # per-tensor ranges and float16 carries


def test_parity_and_solve_as_commands(gpu_bundle: Path, tmp_path: Path) -> None:
    report = json.loads(run("parity", gpu_bundle, "--target", "l4", "--json"))
    assert report["puzzles"] == 8
    puzzles = tmp_path / "puzzles.txt"
    puzzles.write_text(" ".join("1" * BASE.seq_len) + "\n")
    line = json.loads(run("solve", gpu_bundle, puzzles, "--target", "l4", "--format", "json"))
    assert line["steps"] >= 1
