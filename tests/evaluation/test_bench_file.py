from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.report.samples import bench_json, bench_row, untimed_row
from trm_edge.bundle import Bundle
from trm_edge.errors import RecordError
from trm_edge.evaluation.bench_file import read_bench


def test_rows_are_read_as_they_were_written(toy_bundle: Path, tmp_path: Path) -> None:
    row = untimed_row(Bundle.open(toy_bundle))
    expected = bench_row(row, joules=0.25)
    file = read_bench(bench_json(tmp_path / "bench.json", expected))
    assert file.find(row.bundle, "cpu") == expected
    assert file.find(row.bundle, "l4") is None
    other = tmp_path / "other"
    shutil.copytree(toy_bundle, other)
    assert file.find(Bundle.open(other), "cpu") is None


def test_a_row_of_another_graph_is_refused(toy_bundle: Path, tmp_path: Path) -> None:
    row = untimed_row(Bundle.open(toy_bundle))
    stale = replace(bench_row(row), size_bytes=1)
    file = read_bench(bench_json(tmp_path / "bench.json", stale))
    with pytest.raises(RecordError, match=r"when it was int8 in 1 bytes, but now it is int8 in"):
        file.find(row.bundle, "cpu")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not a benchmark"),
        ('{"format": NaN}', "is not a benchmark"),
        ("[]", "is not a benchmark: its format is None"),
        ('{"format": "trm-edge.bench/9"}', "has format trm-edge.bench/9"),
        ('{"format": "trm-edge.bench/1", "rows": []}', "has format trm-edge.bench/1"),
        ('{"format": "trm-edge.bench/2", "rows": [{}]}', "is not a benchmark that this version"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bench.json"
    path.write_text(text)
    with pytest.raises(RecordError, match=message):
        read_bench(path)
    with pytest.raises(RecordError, match=r"does not exist.* trm-edge bench BUNDLE -o"):
        read_bench(tmp_path / "absent.json")


def test_text_in_place_of_a_number_is_refused(toy_bundle: Path, tmp_path: Path) -> None:
    row = untimed_row(Bundle.open(toy_bundle))
    path = bench_json(tmp_path / "bench.json", bench_row(row))
    text = path.read_text().replace('"agreement":', '"agreement":"<b>","other":')
    path.write_text(text)
    with pytest.raises(RecordError, match="agreement"):
        read_bench(path)
