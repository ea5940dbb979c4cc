from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.report.samples import bench_row, row
from trm_edge.bundle import Bundle
from trm_edge.errors import BundleError
from trm_edge.report.rows import Row, chosen_targets, grouped, labels_of


def fake_bundle(path: str, *targets: str) -> Any:
    manifest = SimpleNamespace(targets=dict.fromkeys(targets))
    return SimpleNamespace(path=Path(path), manifest=manifest)


def of(row: Row, *, task: str = "tokens", cells: int = 9, checkpoint: str = "c") -> Row:
    """The same row, as if its bundle were of another kind."""
    manifest = row.bundle.manifest
    changed = replace(
        manifest,
        task=task,
        model=replace(manifest.model, seq_len=cells),
        checkpoint=replace(manifest.checkpoint, sha256=checkpoint),
    )
    return replace(row, bundle=Bundle(row.bundle.path, changed))


def test_all_targets_or_those_named_and_no_bundle_twice() -> None:
    a, b = fake_bundle("a", "cpu", "l4"), fake_bundle("b", "cpu")
    assert chosen_targets([a, b, a]) == [(a, "cpu"), (a, "l4"), (b, "cpu")]
    assert chosen_targets([a, b], ["l4"]) == [(a, "l4")]
    with pytest.raises(BundleError, match="no bundle holds a target 'h100'; there are cpu, l4"):
        chosen_targets([a, b], ["cpu", "h100"])


def test_labels_tell_rows_apart() -> None:
    a, b, c = fake_bundle("x/int8", "cpu"), fake_bundle("y/int8", "cpu"), fake_bundle("z", "cpu")
    assert labels_of([(a, "cpu"), (b, "cpu"), (c, "cpu")]) == ["x/int8", "y/int8", "z"]
    assert labels_of([(c, "cpu"), (c, "l4")]) == ["z, cpu", "z, l4"]


def test_groups_are_kinds_of_puzzles_and_stars_are_theirs(toy_bundle: Path) -> None:
    one = row(Bundle.open(toy_bundle))
    quick = replace(one, bench=bench_row(one, 1.0))
    slow = replace(one, bench=bench_row(one, 2.0))
    groups = grouped([quick, of(slow, cells=16), slow, of(slow, task="maze", cells=16)])
    assert [group.name for group in groups] == ["tokens, 9 cells", "tokens, 16 cells", "maze"]
    stars = [[one.bench.pareto for one in group.rows if one.bench] for group in groups]
    assert stars == [[True, False], [True], [True]]


def test_a_checkpoint_is_one_reference(toy_bundle: Path) -> None:
    one = replace(row(Bundle.open(toy_bundle)), label="one")
    timed = replace(one, bench=bench_row(one, 2.0))
    (group,) = grouped([timed, replace(one, label="two")])
    (reference,) = group.references
    assert reference.label == "float32"
    assert reference.ms_per_step(0) == 2.0 * 2.5  # its step was 2.5 times as fast
    (group,) = grouped([one, of(replace(one, label="two"), checkpoint="d")])
    assert [one.label for one in group.references] == ["float32 of one", "float32 of two"]
    assert group.references[0].ms_per_step(0) is None
    target = replace(one.bundle.manifest.targets["cpu"], precision="fp32")
    plain = Bundle(one.bundle.path, replace(one.bundle.manifest, targets={"cpu": target}))
    (group,) = grouped([one, replace(one, bundle=plain)])
    assert group.missing_references == []
