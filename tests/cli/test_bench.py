"""`trm-edge bench` as a user calls it; no assertion here rests on a time."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.commands import failed, run
from tests.report.samples import bench_row, untimed_row
from trm_edge.bundle import Bundle
from trm_edge.cli.bench import print_record
from trm_edge.evaluation.bench import mark_pareto
from trm_edge.evaluation.bench_file import BenchRecord, read_bench
from trm_edge.evaluation.machine import Machine

QUICK = ("--rounds", 3, "--puzzles", 2, "--threads", 1)


def test_tables_and_json(toy_bundle: Path, tmp_path: Path) -> None:
    output = tmp_path / "out/bench.json"
    batches = ("--batch", 2, "--batch", 1)
    result = run("bench", toy_bundle, toy_bundle, *batches, *QUICK, "-o", output)
    assert result.exit_code == 0, result.output
    for text in ("puzzles/s", "times float32", "int8", "ONNX Runtime", "bundle, cpu"):
        assert text in result.stdout
    assert "…" not in result.stdout
    content = json.loads(output.read_text())
    assert next(iter(content.items())) == ("format", "trm-edge.bench/2")
    assert len(content["rows"]) == 2
    row = content["rows"][0]
    assert row["parity"]["puzzles"] == 2
    assert [latency["slots"] for latency in row["latencies"]] == [1, 2]
    for latency in row["latencies"]:
        assert 0 < latency["p50_ms"] <= latency["p90_ms"] <= latency["p99_ms"]
        assert latency["times_float32"]["median"] > 0
    assert row["puzzles_per_second"] > 0
    assert row["peak_memory_bytes"] > 10e6
    step = Bundle.open(toy_bundle).target()[1].step
    assert row["size_bytes"] == (toy_bundle / step).stat().st_size
    assert any(row["pareto"] for row in content["rows"])
    assert len(read_bench(output).rows) == 2


def test_rows_of_different_puzzles_are_marked(
    toy_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = untimed_row(Bundle.open(toy_bundle))
    quick = bench_row(row, 1.0)
    slow = bench_row(row, 2.0)
    same = BenchRecord(Machine.current(), tuple(mark_pareto([quick, slow])))
    print_record(same, wide=False)
    text = capsys.readouterr().out
    assert "different puzzles" not in text
    assert "set A" not in text
    other = replace(slow, parity=replace(slow.parity, puzzle_set="0" * 16))
    rows = mark_pareto([quick, other, slow])
    assert [entry.pareto for entry in rows] == [True, True, False]
    print_record(BenchRecord(Machine.current(), tuple(rows)), wide=False)
    text = capsys.readouterr().out
    assert "solved different puzzles" in text
    assert text.count("8 (set A)") == 2
    assert text.count("8 (set B)") == 1
    (stars,) = [line for line in text.splitlines() if line.startswith("not beaten")]
    assert stars.count("*") == 1  # a row alone in its set beats none


def test_a_bundle_without_a_float32_graph(toy_bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(toy_bundle, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    del manifest["files"][manifest["float32"]]
    del manifest["float32"]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    result = run("bench", copy, "--batch", 1, *QUICK, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["rows"][0]["latencies"][0]["times_float32"] is None


def test_an_unwritable_output_is_refused_before_the_work(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("measured before the output was checked")

    monkeypatch.setattr("trm_edge.cli.bench.bench", refuse)
    (tmp_path / "file").write_text("")
    failed(run("bench", toy_bundle, "-o", tmp_path / "file" / "bench.json"), "bench.json")


def test_misuse(toy_bundle: Path) -> None:
    failed(run("bench"), "Missing argument 'BUNDLES...'", code=2)
    failed(
        run("bench", toy_bundle, "--target", "l4"),
        "no bundle has a target 'l4'; the targets are cpu.",
    )
