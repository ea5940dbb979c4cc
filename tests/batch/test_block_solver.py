from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from tests.batch.runs import puzzle_texts
from trm_edge.batch.block_solver import BlockSolver
from trm_edge.batch.rows import row_table
from trm_edge.batch.solve_options import SolveOptions
from trm_edge.bundle import MANIFEST, Bundle
from trm_edge.cli.search_options import SearchOptions
from trm_edge.errors import BundleError
from trm_edge.loop.halting import HaltingRule


@pytest.fixture
def options(old_bundles: Path) -> SolveOptions:
    bundle = Bundle.open(old_bundles / "toy-fp32")
    halting = HaltingRule.from_config(bundle.config)
    search = SearchOptions.one_try()
    return SolveOptions.of(bundle, None, halting=halting, search=search, slots=4, threads=1)


def test_a_copy_in_another_process_gives_the_same_answers(options: SolveOptions) -> None:
    block = row_table(0, 10, {"puzzle": puzzle_texts(10)})
    with BlockSolver(options) as solver:
        answers = solver(block)
        copy = pickle.loads(pickle.dumps(solver))
        assert solver.work().slot_steps > 0
    assert copy.work().slot_steps == 0  # it has loaded nothing yet
    assert copy(block).equals(answers)
    copy.close()
    assert copy(block.slice(3, 2)).equals(answers.slice(3, 2))  # loaded again
    copy.close()


def test_a_bundle_that_has_changed_since_is_refused(options: SolveOptions, tmp_path: Path) -> None:
    changed = options.__class__(**{**vars(options), "manifest_sha256": "0" * 64})
    with pytest.raises(BundleError, match="was exported again after the run began"):
        BlockSolver(changed).open()
    assert (options.bundle / MANIFEST).exists()
