from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.evaluation.samples import MACHINE, bench_row
from trm_edge.bundle import Bundle
from trm_edge.errors import RecordError
from trm_edge.evaluation.bench import BenchRow
from trm_edge.evaluation.bench_file import BenchRecord, read_bench, write_bench


def written(path: Path, *rows: BenchRow) -> Path:
    write_bench(path, BenchRecord(MACHINE, rows))
    return path


def test_rows_are_read_as_they_were_written(toy_bundle: Path, tmp_path: Path) -> None:
    bundle = Bundle.open(toy_bundle)
    row = bench_row(bundle, joules=0.25)
    file = read_bench(written(tmp_path / "bench.json", row))
    assert file.machine == MACHINE
    assert file.find(bundle, "cpu") == row
    assert file.find(bundle, "l4") is None
    copy = tmp_path / "copy"
    shutil.copytree(toy_bundle, copy)
    assert file.find(Bundle.open(copy), "cpu") is None


def test_a_row_of_a_graph_that_changed_is_refused(toy_bundle: Path, tmp_path: Path) -> None:
    bundle = Bundle.open(toy_bundle)
    stale = replace(bench_row(bundle), size_bytes=1)
    file = read_bench(written(tmp_path / "bench.json", stale))
    with pytest.raises(RecordError, match=r"when it was int8 in 1 bytes, but now it is int8 in"):
        file.find(bundle, "cpu")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not a benchmark: it is not valid JSON"),
        ('{"format": NaN}', "is not a benchmark: it is not valid JSON"),
        ("[]", "is not a benchmark: it holds a list"),
        ('{"format": "trm-edge.bench/9"}', "has format trm-edge.bench/9, but this version"),
        (
            '{"format": "trm-edge.bench/1", "rows": []}',
            r"bench.json has format trm-edge.bench/1, .* Measure again with: trm-edge bench",
        ),
        ('{"format": "trm-edge.bench/2", "rows": []}', "missing required field machine"),
    ],
)
def test_a_file_that_is_not_a_benchmark(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bench.json"
    path.write_text(text)
    with pytest.raises(RecordError, match=message):
        read_bench(path)


def test_a_missing_file_says_how_to_write_it(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"there is no file .* trm-edge bench BUNDLE -o"):
        read_bench(tmp_path / "absent.json")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("size_bytes", "<b>", "expected int, got str"),
        ("latencies", [], "latencies must have at least one entry"),
        ("was", 1, "unknown was in rows"),
    ],
)
def test_damaged_rows(toy_bundle: Path, tmp_path: Path, key: str, value: Any, message: str) -> None:
    path = written(tmp_path / "bench.json", bench_row(Bundle.open(toy_bundle)))
    content = json.loads(path.read_text())
    content["rows"][0][key] = value
    path.write_text(json.dumps(content))
    with pytest.raises(RecordError, match=message):
        read_bench(path)
