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
    assert "Numerics floor, 8 of the puzzles" in result.stdout
    assert "float32, bfloat16 carries" in result.stdout
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
        "verdicts",
        "floor",
        "coverage",
    ]
    assert content["format"] == "trm-edge.parity/1"
    assert content["puzzles"] == 8
    assert content["limits"] == {"max_drop": 100, "min_halting_agreement": 0}
    assert content["broken"] == []
    low, high = content["adaptive"]["interval_candidate"]
    assert low <= content["adaptive"]["exact_candidate"] <= high
    assert 0 <= content["halting"]["agreement"] <= 1
    assert [limit["verdict"] for limit in content["verdicts"]] == ["pass", "pass", "pass"]
    assert list(content["floor"]["changes"]) == ["other_batch", "bfloat16_carry"]
    assert content["floor"]["puzzles"] == 8
    assert content["coverage"]["candidate"][0]["answered"] == 8
    assert "Answers at each confidence" in result.stdout
    # The target beside the floor is the target of the report, on the same eight puzzles.
    candidate = content["floor"]["candidate"]
    assert candidate["lost_fixed"] == content["fixed"]["lost"]
    assert candidate["same_step"] == content["halting"]["agreement"]


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
    assert (
        "0.0 % of the puzzles stop at the same step (95 % 0.0 to 32.4), limit 100.0 %"
        in result.stdout
    )
    result = run("parity", copy, "--json")
    assert result.exit_code == 1
    (broken,) = json.loads(result.stdout)["broken"]
    assert broken["id"] == "halting.agreement"
    assert broken["message"].endswith("limit 100.0 %")


def test_what_the_puzzles_cannot_show_is_said_and_breaks_nothing(
    toy_bundle: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "usual"
    shutil.copytree(toy_bundle, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["limits"] = {"max_drop": 2, "min_halting_agreement": 0}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    result = run("parity", copy)
    assert result.exit_code == 0, result.output
    assert "within its limits, as far as these puzzles can tell" in result.stdout
    assert "INCONCLUSIVE:\n- fixed: " in result.stdout
    assert "8 puzzles cannot show that little, about " in result.stdout


def test_a_bundle_without_a_floor_is_judged_by_the_same_rule(old_bundles: Path) -> None:
    result = run("parity", old_bundles / "toy-int8")
    assert "Numerics floor: not recorded in this bundle" in result.stdout
    content = json.loads(run("parity", old_bundles / "toy-int8", "--json").stdout)
    assert content["floor"] is None
