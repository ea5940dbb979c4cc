"""The bundled models through the whole export, and the contents of the bundle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.logs import logged
from tests.toys import BASE, write_run
from trm_edge.bundle import Bundle
from trm_edge.evaluation.parity import ParityReport, compare
from trm_edge.evaluation.recording import record_vectors
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.export.torch_backend import TorchBackend
from trm_edge.loop.solver import Solver
from trm_edge.reference import REFERENCES, reference_checkpoint
from trm_edge.targets.export_bundle import export_bundle
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.puzzle_sources import held_out_puzzles
from trm_edge.targets.request import ExportRequest
from trm_edge.tasks import task_for

FEWEST_SOLVED = {"sudoku": 13, "maze": 13, "arc": 7}  # of 16


def parity(path: Path) -> ParityReport:
    bundle = Bundle.open(path)
    reference = bundle.parity()
    candidate = record_vectors(
        bundle.backend(), bundle.puzzle_embeddings(), reference.puzzles(), reference.labels
    )
    return compare(reference, candidate)


def assert_within_limits(path: Path, steps: float) -> None:
    bundle = Bundle.open(path)
    report = parity(path)
    assert report.puzzles >= 500
    assert report.labelled
    assert report.broken(bundle.manifest.limits) == []
    fixed = report.fixed
    adaptive = report.adaptive
    assert fixed.exact_reference > 0.93
    assert adaptive.exact_reference > 0.9
    assert report.halting.steps_reference < steps
    size = bundle.manifest.files["cpu/step.onnx"].size
    assert size <= 1.25 * bundle.manifest.checkpoint.parameters


@pytest.mark.parametrize("reference_bundle", [("sudoku", "int8")], indirect=True)
def test_int8_sudokus_keep_their_limits(reference_bundle: Path) -> None:
    assert_within_limits(reference_bundle, steps=5)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("reference_bundle", [("maze", "int8"), ("maze", "fp8")], indirect=True)
def test_quantized_mazes_keep_their_limits(reference_bundle: Path) -> None:
    assert_within_limits(reference_bundle, steps=12)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("reference_bundle", [("sudoku", "fp8")], indirect=True)
def test_fp8_sudokus_keep_their_limits(reference_bundle: Path) -> None:
    assert_within_limits(reference_bundle, steps=5)


def test_all_bundled_models_solve_their_puzzles() -> None:
    """In float32, on a few: a checkpoint that is loaded wrongly solves none."""
    for name in REFERENCES:
        checkpoint = load_checkpoint(reference_checkpoint(name))
        task = task_for(checkpoint.config).with_row_names(checkpoint.row_names)
        assert task.name == name
        entries = held_out_puzzles(task, None, 16).entries
        backend = TorchBackend(checkpoint.model)
        with Solver(backend, checkpoint.puzzle_embeddings, batch=16) as solver:
            solutions = solver.solve((entry.puzzle for entry in entries), ordered=True)
            solved = 0
            for solution, entry in zip(solutions, entries, strict=True):
                assert entry.answer is not None
                solved += bool(task.are_right(solution.answer[None], entry.answer[None])[0])
        assert solved >= FEWEST_SOLVED[name], f"{name}: {solved}"


def test_the_adaptive_loop_answers_as_the_vectors_do(toy_bundle: Path) -> None:
    """Adaptive answers derived from one fixed run are those of a truly adaptive run."""
    bundle = Bundle.open(toy_bundle)
    reference = bundle.parity()
    recorded = record_vectors(
        bundle.backend(), bundle.puzzle_embeddings(), reference.puzzles(), reference.labels
    )
    with Solver(bundle.backend(), bundle.puzzle_embeddings(), batch=3) as solver:
        for solution in solver.solve(reference.puzzles()):
            assert solution.steps == recorded.halting_steps[solution.index]
            answer = recorded.answers(adaptive=True)[solution.index]
            assert (solution.answer == answer).mean() > 0.99


def test_the_bundle_has_these_files_and_records(toy_dataset: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(write_run(tmp_path / "run", BASE))
    request = ExportRequest(
        checkpoint=checkpoint,
        task=task_for(checkpoint.config),
        precision="fp8",
        targets=(load_profile("cpu"),),
        dataset=toy_dataset,
    )
    with logged() as lines:
        bundle = export_bundle(request, tmp_path / "b")
    assert set(bundle.manifest.files) == {
        "calibration.json",
        "cpu/step.onnx",
        "float32/step.onnx",
        "floor.json",
        "parity.npz",
        "puzzle_embeddings.npy",
    }
    assert [layer.layer for layer in bundle.manifest.targets["cpu"].float_layers] == [
        "layers.0.mlp_t.gate_up_proj",
        "layers.1.mlp_t.gate_up_proj",
        "lm_head",
        "q_head",
    ]
    assert bundle.manifest.checkpoint.sha256 == checkpoint.sha256
    assert bundle.manifest.tools["trm-edge"]
    assert any("calibrated on 192 carries of 8 puzzles" in line for line in lines)


def test_float32_graph_is_kept_or_left_out(tmp_path: Path, toy_dataset: Path) -> None:
    """Other precisions keep it beside them, float32 for a CPU is it, and it can be left out."""
    checkpoint = load_checkpoint(write_run(tmp_path / "run", BASE))
    request = ExportRequest(
        checkpoint=checkpoint,
        task=task_for(checkpoint.config),
        precision="fp16",
        targets=(load_profile("cpu"),),
        dataset=toy_dataset,
    )
    fp16 = export_bundle(request, tmp_path / "fp16")
    assert fp16.manifest.float32 == "float32/step.onnx"
    assert (fp16.path / "float32/step.onnx").is_file()
    fp32 = export_bundle(replace(request, precision="fp32"), tmp_path / "fp32")
    assert fp32.manifest.float32 == "cpu/step.onnx"
    assert not (fp32.path / "float32").exists()
    without = export_bundle(replace(request, float32=False), tmp_path / "without")
    assert without.manifest.float32 is None
    assert not (without.path / "float32").exists()
