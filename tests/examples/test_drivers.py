"""The example drivers solve the bundled Sudokus, and follow the halting rule of any model."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.examples.drivers import (
    EXAMPLES,
    ONNXRUNTIME,
    ROOT,
    Answer,
    missing_for_cpp,
    run_cpp,
    run_numpy,
    sudoku_bundle,
    toy_bundle,
)
from tests.toys import BASE
from trm_edge.bundle import Bundle

TOY = replace(BASE, seq_len=81, vocab_size=11, num_puzzle_identifiers=1)
TOYS = {
    "compares q_continue": replace(TOY, no_ACT_continue=False),
    "no puzzle embedding": replace(TOY, puzzle_emb_ndim=0, puzzle_emb_len=0),
}
# Format and target: float32 with com.microsoft operators, and float16 with standard ones.
FORMS = (("fp32", "cpu"), ("fp16", "l4"))


def examples() -> tuple[list[str], list[str]]:
    """Return the bundled example puzzles and their solutions."""
    path = ROOT / "trm_edge" / "reference" / "puzzles" / "sudoku_examples.csv"
    with path.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    return [row["puzzle"] for row in rows], [row["solution"] for row in rows]


PUZZLES, SOLUTIONS = examples()


@pytest.fixture(scope="module", params=FORMS, ids=lambda form: "-".join(form))
def sudoku(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    precision, target = request.param
    return sudoku_bundle(tmp_path_factory.mktemp(target), precision, target)


@pytest.fixture(scope="module", params=list(TOYS.values()), ids=list(TOYS))
def toy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return toy_bundle(tmp_path_factory.mktemp("toy"), request.param, "l4")


@pytest.fixture(scope="module")
def cpp_driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C++ driver, compiled as its README says."""
    missing = missing_for_cpp()
    if missing and not os.environ.get("TRM_EDGE_REQUIRE_CPP"):
        pytest.skip(missing)
    program = tmp_path_factory.mktemp("cpp") / "solve_sudoku"
    include = ONNXRUNTIME / "include"
    library = ONNXRUNTIME / "lib"
    command = ["g++", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror"]
    command += ["-isystem", str(include), "-isystem", str(include / "onnxruntime")]
    command += ["-isystem", "/usr/include/onnxruntime", str(EXAMPLES / "cpp" / "solve_sudoku.cpp")]
    command += ["-L", str(library), "-lonnxruntime", f"-Wl,-rpath,{library}", "-o", str(program)]
    build = subprocess.run(command, capture_output=True, text=True, check=False)
    assert build.returncode == 0, build.stderr
    return program


def expected_steps(bundle: Bundle) -> list[int]:
    task = bundle.task()
    with bundle.solver(batch=1) as solver:
        return [solver.solve_one(task.puzzle(puzzle)).steps for puzzle in PUZZLES]


def test_numpy_driver_solves_the_bundled_sudokus(sudoku: Bundle) -> None:
    answers = run_numpy(sudoku, PUZZLES)
    assert [answer.digits for answer in answers] == SOLUTIONS
    assert [answer.steps for answer in answers] == expected_steps(sudoku)
    assert any(answer.steps > 1 for answer in answers)  # the carry went round


def test_cpp_driver_solves_the_bundled_sudokus(sudoku: Bundle, cpp_driver: Path) -> None:
    answers = run_cpp(cpp_driver, sudoku, PUZZLES)
    assert [answer.digits for answer in answers] == SOLUTIONS
    assert [answer.steps for answer in answers] == expected_steps(sudoku)


def test_drivers_follow_other_models(toy: Bundle, cpp_driver: Path) -> None:
    expected: list[Answer] = []
    task = toy.task()
    with toy.solver(batch=1) as solver:
        for puzzle in PUZZLES:
            solution = solver.solve_one(task.puzzle(puzzle))
            digits = "".join(chr(ord("0") + int(token) - 1) for token in solution.answer)
            expected.append(Answer(digits, solution.steps))
    assert run_cpp(cpp_driver, toy, PUZZLES) == expected
    steps = [answer.steps for answer in run_numpy(toy, PUZZLES)]
    assert steps == [answer.steps for answer in expected]


def test_cpp_driver_refuses_what_is_no_puzzle(sudoku: Bundle, cpp_driver: Path) -> None:
    graph = next(iter(sudoku.manifest.targets.values())).step
    command = [str(cpp_driver), str(sudoku.path / graph)]
    command += [str(sudoku.path / "puzzle_embeddings.npy"), "16", "q_halt"]
    run = subprocess.run(command, input="123\n", capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr == "error: expected 81 characters, but got 3\n"
    assert subprocess.run(command[:1], capture_output=True, check=False).returncode == 2


def test_cmake_finds_onnxruntime(cpp_driver: Path, tmp_path: Path) -> None:
    if shutil.which("cmake") is None:
        pytest.skip("no cmake")
    command = ["cmake", "-S", str(EXAMPLES / "cpp"), "-B", str(tmp_path)]
    command.append(f"-DCMAKE_PREFIX_PATH={ONNXRUNTIME}")
    configured = subprocess.run(command, capture_output=True, text=True, check=False)
    assert configured.returncode == 0, configured.stderr
    cache = (tmp_path / "CMakeCache.txt").read_text()
    assert "onnxruntime" in cache[cache.index("ONNXRUNTIME_LIBRARY") :].partition("\n")[0]


def test_the_numpy_driver_is_short_and_stands_alone() -> None:
    source = (EXAMPLES / "numpy_driver.py").read_text(encoding="utf-8")
    assert len([line for line in source.partition('"""\n\n')[2].splitlines() if line]) <= 40
    assert "trm_edge" not in source
