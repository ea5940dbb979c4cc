"""What inspect says of the table, and `inspect --verify` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import failed, run
from trm_edge.bundle import PUZZLE_EMBEDDINGS


def test_a_whole_bundle(toy_bundle: Path) -> None:
    result = run("inspect", toy_bundle, "--verify")
    assert result.exit_code == 0, result.output
    count = len(json.loads((toy_bundle / "manifest.json").read_text())["files"])
    assert f"All {count} files are as exported, " in result.stderr
    assert "3 x 32, float32, 0.0 MB, without names" in " ".join(result.stdout.split())


def test_the_json_stays_alone_on_stdout(toy_bundle: Path) -> None:
    result = run("inspect", toy_bundle, "--verify", "--json")
    assert json.loads(result.stdout)["rows"] is None
    assert "files are as exported" in result.stderr


def test_a_table_that_was_changed(
    toy_bundle: Path, toy_bundle_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trm_edge.bundle.HASHED_BYTES", 100)
    path = toy_bundle_copy / PUZZLE_EMBEDDINGS
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF
    path.write_bytes(content)
    assert run("inspect", toy_bundle_copy).exit_code == 0
    message = f"{path} is not what was exported (its sha256 differs from the manifest's)"
    failed(run("inspect", toy_bundle_copy, "--verify"), message)
    # A damaged table must not get a new hash.
    run_folder = toy_bundle.parent / "run"
    failed(run("export", run_folder, "--into", toy_bundle_copy, "--target", "l4"), message)


def test_a_truncated_table(toy_bundle_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trm_edge.bundle.HASHED_BYTES", 100)
    path = toy_bundle_copy / PUZZLE_EMBEDDINGS
    path.write_bytes(path.read_bytes()[:-4])
    failed(run("inspect", toy_bundle_copy), f"{path} has 508 bytes, but 512 were written")
