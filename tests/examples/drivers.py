"""The example drivers as programs, and bundles that they run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.toys import write_run
from trm_edge.bundle import Bundle
from trm_edge.config import ModelConfig
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.manifest import Limits
from trm_edge.profile import Precision
from trm_edge.reference import reference_checkpoint
from trm_edge.targets.export_bundle import export_bundle
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.request import ExportRequest
from trm_edge.tasks import task_for

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
# Where `make test` puts ONNX Runtime for C++; ONNXRUNTIME_ROOT names another folder.
ONNXRUNTIME = Path(os.environ.get("ONNXRUNTIME_ROOT", Path(sys.prefix) / "onnxruntime"))


@dataclass(frozen=True)
class Answer:
    """One line of a driver's output.

    Args:
        digits: the answer, a character a cell.
        steps: ACT steps.
    """

    digits: str
    steps: int


def sudoku_bundle(folder: Path, precision: Precision, target: str) -> Bundle:
    """Export the bundled Sudoku model, with four held-out puzzles."""
    puzzles = ROOT / "trm_edge" / "reference" / "puzzles" / "sudoku_examples.csv"
    return _exported(reference_checkpoint("sudoku"), folder, precision, target, puzzles)


def maze_bundle(folder: Path) -> Bundle:
    """Export the bundled maze model in float32 for CPUs, with its example puzzles."""
    puzzles = ROOT / "trm_edge" / "reference" / "puzzles" / "maze_examples.csv"
    return _exported(reference_checkpoint("maze"), folder, "fp32", "cpu", puzzles)


def toy_bundle(folder: Path, config: ModelConfig, target: str) -> Bundle:
    """Export a model of random weights in FP16."""
    return _exported(write_run(folder / "run", config), folder, "fp16", target, None)


def _exported(
    weights: Path, folder: Path, precision: Precision, target: str, held_out: Path | None
) -> Bundle:
    checkpoint = load_checkpoint(weights)
    request = ExportRequest(
        checkpoint=checkpoint,
        task=task_for(checkpoint.config),
        precision=precision,
        targets=(load_profile(target),),
        held_out=held_out,
        limits=Limits(max_drop=100, min_halting_agreement=0),
        float32=False,
    )
    return export_bundle(request, folder / "bundle")


def missing_for_cpp() -> str | None:
    """Name what the C++ example cannot be built without, or None."""
    if shutil.which("g++") is None:
        return "no C++ compiler: install g++"
    headers = (ONNXRUNTIME / "include", Path("/usr/include"))
    if not any((folder / "onnxruntime" / "onnxruntime_cxx_api.h").exists() for folder in headers):
        return f"no headers of ONNX Runtime: tools/onnxruntime_for_cpp.sh {ONNXRUNTIME}"
    return None


def run_numpy(bundle: Bundle, puzzles: list[str]) -> list[Answer]:
    """Run the numpy driver over puzzles; it must not import trm_edge."""
    (target,) = bundle.manifest.targets
    blocked = "import sys, runpy; sys.modules['trm_edge'] = None; "
    program = f"{blocked}runpy.run_path({str(EXAMPLES / 'numpy_driver.py')!r})"
    command = [sys.executable, "-c", program, str(bundle.path), target]
    return _answers(command, puzzles)


def run_cpp(program: Path, bundle: Bundle, puzzles: list[str]) -> list[Answer]:
    """Run the C++ driver over puzzles."""
    ((_, record),) = bundle.manifest.targets.items()
    embeddings = "-"
    if bundle.config.puzzle_emb_ndim:
        embeddings = str(bundle.path / "puzzle_embeddings.npy")
    rule = "q_halt" if bundle.config.no_ACT_continue else "q_continue"
    steps = str(bundle.config.halt_max_steps)
    command = [str(program), str(bundle.path / record.step), embeddings, steps, rule]
    return _answers(command, puzzles)


def _answers(command: list[str], puzzles: list[str]) -> list[Answer]:
    text = "".join(f"{puzzle}\n" for puzzle in puzzles)
    run = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    answers = []
    for line in run.stdout.splitlines():
        digits, steps = line.split()
        answers.append(Answer(digits, int(steps)))
    return answers
