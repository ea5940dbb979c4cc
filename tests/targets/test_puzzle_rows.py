"""Tables are written block by block, and how far INT8 rows are off is measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.cli.commands import failed, run
from tests.toys import BASE, write_run
from trm_edge.bundle import PUZZLE_EMBEDDINGS, Bundle
from trm_edge.errors import ExportError
from trm_edge.evaluation.held_out import solve_held_out
from trm_edge.puzzle_table import INT8_CODES, INT8_SCALES, Int8Rows
from trm_edge.targets import puzzle_rows
from trm_edge.targets.puzzle_rows import write_rows

TABLE = np.random.default_rng(0).normal(size=(50, 16)).astype(np.float32)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(puzzle_rows, "_BLOCK_BYTES", 7 * 16 * 4)


def test_float32_rows_are_numpy_s(tmp_path: Path) -> None:
    table, record = write_rows(tmp_path, TABLE, "float32", 80)
    np.testing.assert_array_equal(np.load(tmp_path / PUZZLE_EMBEDDINGS), TABLE)
    assert table is TABLE
    assert (record.type, record.checkpoint_rows, record.max_error) == ("float32", 80, 0)


def test_the_error_of_int8_rows_is_that_of_what_is_stored(tmp_path: Path) -> None:
    rows = TABLE * np.logspace(-3, 3, 50, dtype=np.float32)[:, np.newaxis]
    rows[7] = 0
    table, record = write_rows(tmp_path, rows, "int8", 50)
    assert isinstance(table, Int8Rows)
    stored = table[:]
    lengths = np.maximum(np.linalg.norm(rows, axis=1), 1e-30)
    errors = np.linalg.norm(stored - rows, axis=1) / lengths
    assert record.mean_error == pytest.approx(errors.mean(), rel=1e-5)
    assert record.max_error == pytest.approx(errors.max(), rel=1e-5)
    assert 0.001 < record.mean_error < record.max_error < 0.02
    np.testing.assert_array_equal(stored[7], 0)


def test_what_int8_cannot_store(tmp_path: Path) -> None:
    rows = TABLE.copy()
    rows[40, 3] = np.inf
    with pytest.raises(ExportError, match=r"not finite.*leave out --int8-rows"):
        write_rows(tmp_path, rows, "int8", 50)


def test_export_with_int8_rows(toy_dataset: Path, tmp_path: Path) -> None:
    weights = write_run(tmp_path / "run", BASE)
    options = ("--fp32", "--task", "tokens", "--dataset", toy_dataset)
    result = run("export", weights, *options, "--int8-rows", "-o", tmp_path / "bundle")
    assert result.exit_code == 0, result.output
    assert "stored 3 puzzle embeddings as INT8: a row is off by 0." in result.stderr
    bundle = Bundle.open(tmp_path / "bundle")
    assert {INT8_CODES, INT8_SCALES} < bundle.manifest.files.keys()
    assert PUZZLE_EMBEDDINGS not in bundle.manifest.files
    assert bundle.manifest.rows is not None
    assert bundle.manifest.rows.type == "int8"
    assert 0 < bundle.manifest.rows.max_error < 0.02
    # The answers to compare with are those of the float32 rows.
    held_out = solve_held_out(bundle)
    same = held_out.candidate.predictions == held_out.reference.predictions
    assert same.mean() > 0.95
    np.testing.assert_allclose(held_out.candidate.q_halt, held_out.reference.q_halt, atol=0.5)
    assert (held_out.candidate.q_halt != held_out.reference.q_halt).any()


def test_a_model_without_a_table(tmp_path: Path) -> None:
    weights = write_run(tmp_path / "run", replace(BASE, puzzle_emb_ndim=0, puzzle_emb_len=0))
    options = ("--fp32", "--task", "tokens", "--int8-rows", "-o", tmp_path / "bundle")
    message = "the model has no puzzle embeddings to round. Leave --int8-rows out."
    failed(run("export", weights, *options), message, code=2)
    assert not (tmp_path / "bundle").exists()
