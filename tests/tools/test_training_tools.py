"""The generator and the trainer of the reference model, as small as still says something."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(code: str, tmp_path: Path) -> str:
    """Run in a process of its own: the tools are scripts, and numba compiles for seconds."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT / "tools"), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_generated_puzzles_have_one_solution_under_every_symmetry(tmp_path: Path) -> None:
    pytest.importorskip("numba", reason="needs pip install 'trm-edge[train]'")
    code = """
import numpy as np, sudoku_generator as g
digs = g.generate(40, 50, seed=7)
again = g.generate(40, 50, seed=7)
assert (digs.solutions == again.solutions).all() and (digs.orders == again.orders).all()
blanks = np.arange(40) % 15 + 36
puzzles, solutions = digs.puzzles(np.arange(40), blanks)
assert ((puzzles == 0).sum(1) == blanks).all()
moved, answers = g.permute(puzzles, solutions, np.random.default_rng(0))
assert (moved != puzzles).any()
for puzzle, answer in zip(moved, answers):
    assert g.count_solutions(puzzle)[0] == 1
    assert ((puzzle == 0) | (puzzle == answer)).all()
    for unit in (answer.reshape(9, 9), answer.reshape(9, 9).T,
                 answer.reshape(3, 3, 3, 3).transpose(0, 2, 1, 3).reshape(9, 9)):
        assert (np.sort(unit, 1) == np.arange(1, 10)).all()
assert g.count_solutions(np.zeros(81, np.uint8))[0] == 2
print("ok")
"""
    assert run(code, tmp_path) == "ok\n"


def test_training_resumes_where_it_stopped_and_writes_the_published_format(tmp_path: Path) -> None:
    """Four steps at once and two times two give the same weights; the importer reads them."""
    pytest.importorskip("numba", reason="needs pip install 'trm-edge[train]'")
    code = """
import dataclasses
from pathlib import Path
import numpy as np, torch
from published_format import write_checkpoint
from recursion_trainer import Trainer
from train_reference import RECIPES
from trm_edge.export.checkpoint import load_checkpoint
model = dataclasses.replace(RECIPES["sudoku"].model, hidden_size=32, puzzle_emb_ndim=32,
                            halt_max_steps=3)
recipe = dataclasses.replace(RECIPES["sudoku"], model=model, batch=4, warmup_steps=2)
def data(rng):
    while True:
        yield (rng.integers(1, 11, (5, 81)).astype(np.uint8),
               rng.integers(2, 11, (5, 81)).astype(np.uint8))
torch.set_num_threads(1)
whole = Trainer(recipe, data)
losses = [whole.advance()["loss"] for _ in range(4)]
assert losses[0] > 0 and len(set(losses)) == 4
part = Trainer(recipe, data)
part.advance(), part.advance()
part.save(Path("state.pt"))
rest = Trainer(recipe, data)
rest.load(Path("state.pt"))
assert [rest.advance()["loss"] for _ in range(2)] == losses[2:]
for one, other in zip(whole.average, rest.average):
    assert torch.equal(one, other)
averaged, table = rest.averaged()
write_checkpoint(Path("run"), averaged, table, rest.step, {"ema": True})
loaded = load_checkpoint(Path("run"))
assert loaded.config == model and loaded.averaged is True
for one, other in zip(loaded.model.parameters(), averaged.parameters()):
    assert torch.equal(one, other)
figures = rest.evaluate(*next(data(np.random.default_rng(0))))
assert figures["steps"] == 3.0 and figures["exact_fixed"] == 0.0
print("ok")
"""
    assert run(code, tmp_path) == "ok\n"


def test_shipped_puzzles_are_what_the_tool_writes(tmp_path: Path) -> None:
    pytest.importorskip("numba", reason="needs pip install 'trm-edge[train]'")
    code = "import make_sudoku_puzzles as m; m.main(['out'], standalone_mode=False)"
    run(code, tmp_path)
    for path in sorted((ROOT / "trm_edge" / "reference" / "puzzles").glob("*.csv")):
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
    assert len(list((tmp_path / "out").iterdir())) == 3
