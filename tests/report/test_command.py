"""`trm-edge report` as a user calls it."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest

from tests.cli.test_commands import failed, run
from tests.report.samples import baseline, bench_json, bench_row, row
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
    assert "On 8 held-out puzzles" in html


def test_what_was_timed_before_is_taken(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("timed again")

    monkeypatch.setattr("trm_edge.report.make.bench", refuse)
    file = bench_json(tmp_path / "bench.json", bench_row(row(Bundle.open(toy_bundle))))
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


def test_what_was_not_timed_is(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trm_edge.report.make.bench", partial(bench, slots=(1,), rounds=3))
    result = run(
        "report", toy_bundle, "--puzzles", 2, "--threads", 1, "-o", tmp_path / "report.html"
    )
    assert result.exit_code == 0, result.output
    assert "puzzles/s" in (tmp_path / "report.html").read_text()


def test_nothing_is_overwritten_unless_asked(toy_bundle: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.html"
    output.write_text("mine")
    arguments = ("report", toy_bundle, "--no-bench", "-o", output)
    failed(run(*arguments), "report.html exists already. Pass --force to replace it, or another -o")
    assert output.read_text() == "mine"
    # A report that fails leaves what was there.
    failed(run(*arguments, "--force", "--bench", tmp_path / "absent.json"), "there is no file")
    assert output.read_text() == "mine"
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
        "no bundle holds a target 'l4'; there are cpu",
    )
    failed(
        run("report", toy_bundle, "--baseline", tmp_path / "absent.json", *output),
        "there is no baseline at",
    )
    (tmp_path / "file").write_text("")
    failed(
        run("report", toy_bundle, "-o", tmp_path / "file" / "report.html"),
        "cannot write",
        "Choose another -o",
    )
    assert not (tmp_path / "report.html").exists()


def test_the_extra_is_named(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trm_edge.report.make.find_spec", lambda name: None)
    failed(
        run("report", toy_bundle, "-o", tmp_path / "report.html"),
        "a report needs the package plotly",
        "pip install 'trm-edge[report]'",
    )
