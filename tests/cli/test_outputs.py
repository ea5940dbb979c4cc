"""Only files of the same kind that trm-edge wrote are overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import failed, run
from trm_edge.cli.outputs import check_junit_output, check_record_output
from trm_edge.errors import OutputError, OutputExistsError
from trm_edge.evaluation.bench_file import FORMAT

NOUN = "a benchmark of trm-edge bench"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"format": "trm-edge.bench/1"}',
        b'\xef\xbb\xbf \n{\n  "format" : "trm-edge.bench/2", "rows": []}',
    ],
)
def test_nothing_is_lost_with_an_empty_file_or_an_older_record(
    content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "bench.json"
    check_record_output(path, FORMAT, NOUN, force=False)
    path.write_bytes(content)
    check_record_output(path, FORMAT, NOUN, force=False)


@pytest.mark.parametrize(
    "content",
    [
        b"my notes",
        b"\0" * 10_000,
        b"{}",
        b'{"format": "trm-edge.regress/1"}',
        b'{"format": "trm-edge.bench.other/1"}',
        b'["format", "trm-edge.bench/1"]',
    ],
)
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_bytes(content)
    with pytest.raises(OutputExistsError, match=f"is not {NOUN}, so it is not overwritten"):
        check_record_output(path, FORMAT, NOUN, force=False)
    check_record_output(path, FORMAT, NOUN, force=True)
    with pytest.raises(OutputError, match="it is a folder"):
        check_record_output(tmp_path, FORMAT, NOUN, force=True)


def test_junit_of_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    start = "<?xml version='1.0' encoding='utf-8'?>\n<testsuites>\n  "
    path.write_text(f'{start}<testsuite name="trm-edge.bundle.cpu" tests="1">')
    check_junit_output(path, force=False)
    path.write_text(f'{start}<testsuite name="pytest" tests="1">')
    with pytest.raises(OutputExistsError, match="is not a JUnit file of trm-edge regress"):
        check_junit_output(path, force=False)
    check_junit_output(path, force=True)


def test_bench_does_not_overwrite_other_files(toy_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes")
    failed(run("bench", toy_bundle, "-o", path), "so it is not overwritten", "--force")
    assert path.read_text() == "my notes"
