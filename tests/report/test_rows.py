from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.report.samples import bench_json, bench_row, row
from trm_edge.bundle import Bundle
from trm_edge.cli.bench import FORMAT as WRITTEN
from trm_edge.errors import BundleError
from trm_edge.evaluation.bench_file import FORMAT, read_bench
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


# --- what bench wrote --------------------------------------------------------------------------


def test_rows_come_back_as_they_were(toy_bundle: Path, tmp_path: Path) -> None:
    assert FORMAT == WRITTEN
    one = row(Bundle.open(toy_bundle))
    before = bench_row(one, joules=0.25)
    file = read_bench(bench_json(tmp_path / "bench.json", before))
    assert file.find(one.bundle, "cpu") == before
    assert file.find(one.bundle, "l4") is None
    other = tmp_path / "other"
    shutil.copytree(toy_bundle, other)
    assert file.find(Bundle.open(other), "cpu") is None


def test_a_row_of_another_graph_is_refused(toy_bundle: Path, tmp_path: Path) -> None:
    one = row(Bundle.open(toy_bundle))
    stale = replace(bench_row(one), bytes=1)
    file = read_bench(bench_json(tmp_path / "bench.json", stale))
    with pytest.raises(BundleError, match=r"when it was int8 in 1 bytes, but now it is int8 in"):
        file.find(one.bundle, "cpu")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as a benchmark"),
        ('{"format": NaN}', r"cannot be read as a benchmark: NaN is no figure"),
        ("[]", "is no benchmark of this version: its format is None"),
        ('{"format": "trm-edge.bench/9"}', "its format is 'trm-edge.bench/9', expected"),
        ('{"format": "trm-edge.bench/1", "rows": [{}]}', r"is damaged \(KeyError"),
        ('{"format": "trm-edge.bench/1", "rows": []}', r"is damaged \(KeyError"),
    ],
)
def test_what_is_no_benchmark(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bench.json"
    path.write_text(text)
    with pytest.raises(BundleError, match=message):
        read_bench(path)
    with pytest.raises(BundleError, match=r"there is no file .* trm-edge bench BUNDLE -o"):
        read_bench(tmp_path / "absent.json")


def test_text_where_a_figure_belongs_is_damage(toy_bundle: Path, tmp_path: Path) -> None:
    one = row(Bundle.open(toy_bundle))
    path = bench_json(tmp_path / "bench.json", bench_row(one))
    path.write_text(path.read_text().replace('"agreement": ', '"agreement": "<b>", "was": '))
    with pytest.raises(BundleError, match=r"is damaged \(ValueError"):
        read_bench(path)
