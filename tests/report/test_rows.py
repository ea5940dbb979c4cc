from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.report.samples import bench_row, untimed_row
from trm_edge.bundle import Bundle
from trm_edge.errors import BundleError
from trm_edge.report.rows import BundleTarget, ReportRow, group_rows, row_labels, select_targets


def fake_bundle(path: str, *targets: str) -> Any:
    manifest = SimpleNamespace(targets=dict.fromkeys(targets))
    return SimpleNamespace(path=Path(path), manifest=manifest)


def with_manifest(
    row: ReportRow, *, task: str = "tokens", cells: int = 9, checkpoint: str = "c"
) -> ReportRow:
    """Return the same row as if its bundle were of another task, size or checkpoint."""
    manifest = row.bundle.manifest
    changed = replace(
        manifest,
        task=task,
        model=replace(manifest.model, seq_len=cells),
        checkpoint=replace(manifest.checkpoint, sha256=checkpoint),
    )
    return replace(row, bundle=Bundle(row.bundle.path, changed))


@pytest.fixture(scope="module")
def row(toy_bundle: Path) -> ReportRow:
    return replace(untimed_row(Bundle.open(toy_bundle)), label="first")


def test_all_or_the_named_targets_are_selected_and_no_bundle_twice() -> None:
    a = fake_bundle("a", "cpu", "l4")
    b = fake_bundle("b", "cpu")
    assert select_targets([a, b, a]) == [(a, "cpu"), (a, "l4"), (b, "cpu")]
    assert select_targets([a, b], ["l4"]) == [(a, "l4")]
    message = "none of the bundles has a target 'h100'; they have cpu, l4"
    with pytest.raises(BundleError, match=message):
        select_targets([a, b], ["cpu", "h100"])


def test_labels_are_unique() -> None:
    a = fake_bundle("x/int8", "cpu")
    b = fake_bundle("y/int8", "cpu")
    c = fake_bundle("z", "cpu")
    entries = [BundleTarget(bundle, "cpu") for bundle in (a, b, c)]
    assert row_labels(entries) == ["x/int8", "y/int8", "z"]
    entries = [BundleTarget(c, target) for target in ("cpu", "l4")]
    assert row_labels(entries) == ["z, cpu", "z, l4"]


def test_rows_are_grouped_by_puzzle_and_each_group_has_its_stars(row: ReportRow) -> None:
    fast = replace(row, bench=bench_row(row, 1.0))
    slow = replace(row, bench=bench_row(row, 2.0))
    larger = with_manifest(slow, cells=16)
    maze = with_manifest(slow, task="maze", cells=16)
    groups = group_rows([fast, larger, slow, maze])
    assert [group.name for group in groups] == ["tokens, 9 cells", "tokens, 16 cells", "maze"]
    stars = []
    for group in groups:
        stars.append([row.bench.pareto for row in group.rows if row.bench is not None])
    assert stars == [[True, False], [True], [True]]


def test_rows_that_solved_different_puzzles_are_kept_apart(row: ReportRow) -> None:
    other = replace(row, parity=replace(row.parity, puzzle_set="0" * 16))
    fewer = replace(other, parity=replace(other.parity, puzzles=5))
    groups = group_rows([row, other, fewer, row])
    assert [group.name for group in groups] == [
        "tokens, puzzle set 1 (8 puzzles)",
        "tokens, puzzle set 2 (8 puzzles)",
        "tokens, puzzle set 3 (5 puzzles)",
    ]
    assert [len(group.rows) for group in groups] == [2, 1, 1]


def test_each_checkpoint_has_one_reference(row: ReportRow) -> None:
    timed = replace(row, bench=bench_row(row, 2.0))
    (group,) = group_rows([timed, replace(row, label="second")])
    (reference,) = group.references
    assert reference.label == "float32"
    assert reference.ms_per_step(0) == 2.0 * 2.5  # the row is 2.5 times as fast
    other = with_manifest(replace(row, label="second"), checkpoint="d")
    (group,) = group_rows([row, other])
    labels = [reference.label for reference in group.references]
    assert labels == ["float32 of first", "float32 of second"]
    assert group.references[0].ms_per_step(0) is None


def test_a_float32_row_replaces_its_reference(row: ReportRow) -> None:
    (group,) = group_rows([row])
    assert len(group.missing_references) == 1
    manifest = row.bundle.manifest
    target = replace(manifest.targets["cpu"], precision="fp32")
    float32 = Bundle(row.bundle.path, replace(manifest, targets={"cpu": target}))
    (group,) = group_rows([row, replace(row, bundle=float32)])
    assert group.missing_references == []
