"""`trm-edge parity` as a user calls it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from tests.cli.commands import run
from trm_edge.bundle import Bundle
from trm_edge.files import hash_file


def test_text_and_json(toy_bundle: Path) -> None:
    result = run("parity", toy_bundle)
    assert result.exit_code == 0, result.output
    assert "within its limits" in result.stdout
    assert "…" not in result.stdout
    content = json.loads(run("parity", toy_bundle, "--json").stdout)
    assert list(content) == [
        "format",
        "bundle",
        "target",
        "precision",
        "engine",
        "puzzles",
        "labelled",
        "random_tokens",
        "fixed",
        "adaptive",
        "halting",
        "carry",
        "limits",
        "broken",
    ]
    assert content["format"] == "trm-edge.parity/1"
    assert content["puzzles"] == 8
    assert content["limits"] == {"max_drop": 100, "min_halting_agreement": 0}
    assert content["broken"] == []
    low, high = content["adaptive"]["interval_candidate"]
    assert low <= content["adaptive"]["exact_candidate"] <= high
    assert 0 <= content["halting"]["agreement"] <= 1


def test_only_the_first_puzzles(toy_bundle: Path) -> None:
    content = json.loads(run("parity", toy_bundle, "--puzzles", "3", "--json").stdout)
    assert content["puzzles"] == 3
    assert sum(content["halting"]["histogram_candidate"]) == 3


def test_a_broken_limit_exits_with_1(toy_bundle: Path, tmp_path: Path) -> None:
    """The recorded halting steps are reversed, so that hardly any puzzle agrees."""
    copy = tmp_path / "strict"
    shutil.copytree(toy_bundle, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["limits"] = {"max_drop": 100, "min_halting_agreement": 1}
    vectors = Bundle.open(copy).parity()
    reversed_steps = replace(vectors, halting_steps=5 - vectors.halting_steps)  # 1..4 to 4..1
    reversed_steps.save(copy / "parity.npz")
    manifest["files"]["parity.npz"] = {
        "sha256": hash_file(copy / "parity.npz"),
        "size": (copy / "parity.npz").stat().st_size,
    }
    (copy / "manifest.json").write_text(json.dumps(manifest))
    result = run("parity", copy)
    assert result.exit_code == 1
    assert "outside its limits" in result.stdout
    assert "of the puzzles stop at the same step, limit 100.0 %" in result.stdout
    result = run("parity", copy, "--json")
    assert result.exit_code == 1
    (broken,) = json.loads(result.stdout)["broken"]
    assert broken["id"] == "halting.agreement"
    assert broken["message"].endswith("limit 100.0 %")
