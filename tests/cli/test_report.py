"""``trm-edge report`` as a user calls it."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest

from tests.cli.commands import failed, run
from tests.report.samples import baseline, bench_json, bench_row, untimed_row
from trm_edge.bundle import Bundle
from trm_edge.evaluation.bench import bench


def test_a_report_of_two_bundles_without_timing(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other <b>"
    shutil.copytree(toy_bundle, other)
    monkeypatch.chdir(tmp_path)
    result = run("report", toy_bundle, other, toy_bundle, "--no-bench", "--threads", 1)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Wrote report.html, ")
    html = (tmp_path / "report.html").read_text()
    assert "other &lt;b&gt;" in html
    assert "other <b>" not in html
    assert "Measured on 8 held-out puzzles" in html


def test_timings_from_a_file_are_used(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("timed again")

    monkeypatch.setattr("trm_edge.report.make.bench", refuse)
    file = bench_json(tmp_path / "bench.json", bench_row(untimed_row(Bundle.open(toy_bundle))))
    baseline(0).write(tmp_path / "b.json")
    output = tmp_path / "out" / "page.html"
    arguments = ("report", toy_bundle, "--bench", file, "-o", output, "--puzzles", 4)
    result = run(*arguments, "--baseline", tmp_path / "b.json")
    assert result.exit_code == 0, result.output
    html = output.read_text()
    assert "bundle, on a CPU (avx2), 2 cores" in html
    assert "Chart: time of a step" in html
    other = tmp_path / "other"
    shutil.copytree(toy_bundle, other)
    result = run("report", other, "--bench", file, "--no-bench", "-o", tmp_path / "other.html")
    assert result.exit_code == 0, result.output
    assert "none of these (" in (tmp_path / "other.html").read_text()


def test_missing_timings_are_measured(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trm_edge.report.make.bench", partial(bench, slots=(1,), rounds=3))
    result = run(
        "report", toy_bundle, "--puzzles", 2, "--threads", 1, "-o", tmp_path / "report.html"
    )
    assert result.exit_code == 0, result.output
    assert "puzzles/s" in (tmp_path / "report.html").read_text()


def test_nothing_is_overwritten_without_force(toy_bundle: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.html"
    output.write_text("existing")
    arguments = ("report", toy_bundle, "--no-bench", "-o", output)
    failed(
        run(*arguments),
        "report.html exists already. Pass --force to overwrite it, or choose another -o",
    )
    assert output.read_text() == "existing"
    # A report that fails leaves the existing file alone.
    absent = tmp_path / "absent.json"
    failed(run(*arguments, "--force", "--bench", absent), f"there is no file {absent}")
    assert output.read_text() == "existing"
    assert run(*arguments, "--force").exit_code == 0
    assert output.read_text().startswith("<!doctype html>")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_report_misused(toy_bundle: Path, tmp_path: Path) -> None:
    output = ("-o", tmp_path / "report.html")
    failed(run("report"), "Missing argument 'BUNDLES...'", code=2)
    failed(run("report", toy_bundle, "-o", tmp_path), "is a directory", code=2)
    failed(run("report", toy_bundle, "--puzzles", 0), "0 is not in the range", code=2)
    failed(run("report", tmp_path, *output), "is not a bundle")
    failed(
        run("report", toy_bundle, "--target", "l4", *output),
        "none of the bundles has a target 'l4'; they have cpu",
    )
    failed(
        run("report", toy_bundle, "--baseline", tmp_path / "absent.json", *output),
        "there is no baseline at",
    )
    (tmp_path / "file").write_text("")
    failed(
        run("report", toy_bundle, "-o", tmp_path / "file" / "report.html"),
        "cannot write",
        "Choose another path",
    )
    assert not (tmp_path / "report.html").exists()


def test_the_extra_is_named(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trm_edge.requirements.find_spec", lambda name: None)
    failed(
        run("report", toy_bundle, "-o", tmp_path / "report.html"),
        "a report needs the package plotly",
        "pip install 'trm-edge[report]'",
    )
