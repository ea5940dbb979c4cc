"""``trm-edge page`` as a user calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import failed, run
from tests.page.samples import FILES, write_archive


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """ONNX Runtime Web on a disk; npm is out of reach."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return write_archive(tmp_path / "runtime.tgz", FILES)


def test_a_site_without_a_network(old_bundles: Path, archive: Path, tmp_path: Path) -> None:
    output = tmp_path / "site"
    result = run("page", old_bundles / "toy-fp32", "--runtime", archive, "-o", output)
    assert result.exit_code == 0, result.output
    first, second = result.stdout.splitlines()
    assert first.startswith(f"Wrote {output}: a first visit fetches 0.")
    assert "float32" not in first
    assert second == f"Look at it with: python3 -m http.server -d {output}"
    assert (output / "index.html").is_file()
    again = ("page", old_bundles / "toy-fp32", "--runtime", archive, "-o", output)
    failed(run(*again), f"{output} exists already. Pass --force")
    assert run(*again, "--force", "--title", "Try it").exit_code == 0
    assert "<title>Try it</title>" in (output / "index.html").read_text()


def test_a_foreign_folder_is_left_alone(old_bundles: Path, archive: Path, tmp_path: Path) -> None:
    output = tmp_path / "folder"
    output.mkdir()
    (output / "file").write_text("mine")
    arguments = ("page", old_bundles / "toy-fp32", "--runtime", archive, "-o", output, "--force")
    failed(run(*arguments), "is not a page of trm-edge, so --force does not replace it")
    assert (output / "file").read_text() == "mine"


def test_what_a_page_cannot_show(toy_bundle: Path, archive: Path, tmp_path: Path) -> None:
    result = run("page", toy_bundle, "--runtime", archive, "-o", tmp_path / "site")
    failed(result, "a page has the tasks maze and sudoku", "the task of", "is tokens")
    assert not (tmp_path / "site").exists()


def test_no_bundle_and_no_runtime(old_bundles: Path, archive: Path, tmp_path: Path) -> None:
    output = tmp_path / "site"
    failed(run("page", tmp_path / "none", "-o", output), "is not a bundle")
    failed(run("page", old_bundles / "toy-fp32", "-o", output), "npm is not installed")
    missing = run("page", old_bundles / "toy-fp32", "--runtime", tmp_path / "none", "-o", output)
    failed(missing, "does not exist", code=2)
    assert not output.exists()
