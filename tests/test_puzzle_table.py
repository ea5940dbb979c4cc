"""The table of a bundle: float32 or INT8 rows, mapped, and refused where they do not fit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.toys import BASE
from trm_edge.bundle import PUZZLE_EMBEDDINGS, Bundle
from trm_edge.errors import BundleError
from trm_edge.files import hash_file
from trm_edge.loop.solver import Solver
from trm_edge.puzzle_table import INT8_CODES, INT8_SCALES, Int8Rows, quantize_rows

ROWS = np.random.default_rng(0).normal(size=(BASE.num_puzzle_identifiers, 32)).astype(np.float32)


def replace_table(bundle: Path, **arrays: np.ndarray) -> None:
    """Put other files in the place of a bundle's table, with the right hashes."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / PUZZLE_EMBEDDINGS).unlink()
    del manifest["files"][PUZZLE_EMBEDDINGS]
    for key, array in arrays.items():
        name = {"rows": PUZZLE_EMBEDDINGS, "codes": INT8_CODES, "scales": INT8_SCALES}[key]
        np.save(bundle / name, array)
        size = (bundle / name).stat().st_size
        manifest["files"][name] = {"sha256": hash_file(bundle / name), "size": size}
    (bundle / "manifest.json").write_text(json.dumps(manifest))


def test_a_float32_table_is_mapped(toy_bundle: Path) -> None:
    table = Bundle.open(toy_bundle).puzzle_embeddings()
    assert isinstance(table, np.memmap)
    assert table.shape == ROWS.shape


def test_rows_are_rounded_to_their_own_scale() -> None:
    rows = ROWS * np.array([[1e-6], [1.0], [1e6]], np.float32)
    codes, scales = quantize_rows(rows)
    assert np.abs(codes.astype(int)).max(1).tolist() == [127, 127, 127]
    errors = np.abs(Int8Rows(codes, scales)[np.arange(3)] - rows)
    assert (errors <= 0.5001 * scales[:, np.newaxis]).all()


def test_int8_rows_are_taken_by_index(toy_bundle_copy: Path) -> None:
    codes, scales = quantize_rows(ROWS)
    replace_table(toy_bundle_copy, codes=codes, scales=scales)
    table = Bundle.open(toy_bundle_copy).puzzle_embeddings()
    assert isinstance(table, Int8Rows)
    assert (len(table), table.shape) == (3, (3, 32))
    expected = codes.astype(np.float32) * scales[:, np.newaxis]
    for rows in (2, np.int64(1), slice(0, 2), np.array([2, 0, 2]), [1, 1]):
        taken = table[rows]
        assert taken.dtype == np.float32
        np.testing.assert_array_equal(taken, expected[rows])


def test_a_bundle_with_int8_rows_solves_as_with_those_rows_in_float32(
    toy_bundle_copy: Path,
) -> None:
    codes, scales = quantize_rows(ROWS)
    replace_table(toy_bundle_copy, codes=codes, scales=scales)
    bundle = Bundle.open(toy_bundle_copy)
    puzzles = []
    for number, puzzle in enumerate(bundle.parity().puzzles()):
        puzzles.append(replace(puzzle, identifier=number % len(ROWS)))
    with bundle.solver(batch=4) as solver:
        actual = list(solver.solve(puzzles, ordered=True))
    rows = codes.astype(np.float32) * scales[:, np.newaxis]
    with Solver(bundle.backend(), rows, batch=4) as solver:
        expected = list(solver.solve(puzzles, ordered=True))
    for solution, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(solution.answer, other.answer)
        np.testing.assert_array_equal(solution.q_halt, other.q_halt)


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"rows": ROWS[:2]}, r"must be \(3, 32\) float32, but is \(2, 32\)"),
        ({"rows": ROWS.astype(np.float64)}, r"but is \(3, 32\) <f8"),
        ({"codes": np.zeros((3, 32), np.uint8), "scales": ROWS[:, 0]}, "int8, but is"),
        ({"codes": np.zeros((3, 32), np.int8), "scales": ROWS[:2, 0]}, r"must be \(3,\) float32"),
        ({"codes": np.zeros((3, 32), np.int8)}, f"is there without {INT8_SCALES}"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_when_opened(
    arrays: dict[str, np.ndarray], reason: str, toy_bundle_copy: Path
) -> None:
    replace_table(toy_bundle_copy, **arrays)
    with pytest.raises(BundleError, match=reason):
        Bundle.open(toy_bundle_copy)


def test_a_large_table_is_compared_by_size_until_it_is_verified(
    toy_bundle_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = toy_bundle_copy / PUZZLE_EMBEDDINGS
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"puzzle_embeddings\.npy is not what was exported"):
        Bundle.open(toy_bundle_copy)
    monkeypatch.setattr("trm_edge.bundle.HASHED_BYTES", len(content) - 1)
    bundle = Bundle.open(toy_bundle_copy)
    with pytest.raises(BundleError, match=r"puzzle_embeddings\.npy is not what was exported"):
        bundle.verify()
    path.write_bytes(content[:-1])
    with pytest.raises(BundleError, match="the bundle is truncated or was changed"):
        Bundle.open(toy_bundle_copy)
    content[-1] ^= 1
    path.write_bytes(content)
    sizes = sum(record.size for record in bundle.manifest.files.values())
    assert Bundle.open(toy_bundle_copy).verify() == sizes
