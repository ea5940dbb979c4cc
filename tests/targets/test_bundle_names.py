"""Names of rows from the run into the bundle, and datasets that number their puzzles otherwise."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.cli.commands import run
from tests.toys import BASE, toy_tokens, write_run
from trm_edge.bundle import IDENTIFIERS, Bundle
from trm_edge.errors import BundleError
from trm_edge.identifiers import pack_names

OWN = ["<blank>", "a", "b"]  # as many as the toy has rows


@pytest.fixture(scope="module")
def named_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a run with names, measured on a dataset that numbers them otherwise."""
    folder = tmp_path_factory.mktemp("named")
    weights = write_run(folder / "run", BASE)
    (folder / "run/identifiers.json").write_text(json.dumps(OWN))
    data = write_dataset(folder / "data", [1, 2, 3], ["<blank>", "b", "new", "a"])
    output = folder / "bundle"
    options = ("--task", "tokens", "--dataset", data, "-o", output)
    result = run("export", weights, "--fp32", *options)
    assert result.exit_code == 0, result.output
    text = re.sub(r"\s+", " ", result.stderr)
    assert "1 of 3 puzzles in" in text
    assert "the model has no row for new" in text
    return output


def write_dataset(folder: Path, identifiers: list[int], names: list[str]) -> Path:
    (folder / "test").mkdir(parents=True)
    tokens = toy_tokens(BASE, len(identifiers)).astype(np.uint8)
    np.save(folder / "test/all__inputs.npy", tokens)
    np.save(folder / "test/all__labels.npy", np.maximum(tokens, 1))
    np.save(folder / "test/all__puzzle_identifiers.npy", np.array(identifiers, np.int32))
    metadata = {"seq_len": 9, "vocab_size": 7, "num_puzzle_identifiers": len(names)}
    (folder / "test/dataset.json").write_text(json.dumps(metadata))
    (folder / "identifiers.json").write_text(json.dumps(names))
    return folder


def test_the_bundle_knows_its_rows(named_bundle: Path) -> None:
    bundle = Bundle.open(named_bundle)
    assert bundle.identifiers() == OWN
    record = bundle.manifest.files[IDENTIFIERS]
    assert record.sha256 == hashlib.sha256((named_bundle / IDENTIFIERS).read_bytes()).hexdigest()
    # Accuracy was measured under the rows that the names have, not under the dataset's numbers.
    assert bundle.parity().identifiers.tolist() == [2, 1]


def test_solve_finds_rows_by_name(named_bundle: Path, tmp_path: Path) -> None:
    options = ("--format", "json", "--halt", "fixed")
    same = write_dataset(tmp_path / "same", [1, 2], OWN)
    other = write_dataset(tmp_path / "other", [2, 1, 3], ["<blank>", "b", "a", "new"])
    expected = run("solve", named_bundle, same, *options)
    result = run("solve", named_bundle, other, *options)
    assert (expected.exit_code, result.exit_code) == (0, 1)
    assert result.stdout.splitlines()[:2] == expected.stdout.splitlines()
    assert "line 3: the model has no row for new (identifier 3 of" in result.stderr


def test_a_bundle_without_names(toy_bundle: Path) -> None:
    bundle = Bundle.open(toy_bundle)
    assert bundle.identifiers() is None
    assert IDENTIFIERS not in bundle.manifest.files


@pytest.mark.parametrize(
    ("content", "reason"),
    [(pack_names(OWN[:2]), "it has 2 names for 3 rows"), (b"no names", "it is not packed")],
)
def test_names_that_a_sender_changed(content: bytes, reason: str, toy_bundle_copy: Path) -> None:
    manifest = json.loads((toy_bundle_copy / "manifest.json").read_text())
    digest = hashlib.sha256(content).hexdigest()
    manifest["files"][IDENTIFIERS] = {"sha256": digest, "size": len(content)}
    (toy_bundle_copy / IDENTIFIERS).write_bytes(content)
    (toy_bundle_copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=f"does not name the model's rows: {reason}"):
        Bundle.open(toy_bundle_copy).identifiers()
