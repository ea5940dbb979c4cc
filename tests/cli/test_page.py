"""``trm-edge page`` as a user calls it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.arc.tasks import TASK, write_json
from tests.arc.toy_bundle import write_bundle
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
    failed(
        result, "a page has the tasks arc, maze, nano-sudoku and sudoku", "the task of", "is tokens"
    )
    assert not (tmp_path / "site").exists()


def test_no_bundle_and_no_runtime(old_bundles: Path, archive: Path, tmp_path: Path) -> None:
    output = tmp_path / "site"
    failed(run("page", tmp_path / "none", "-o", output), "there is no bundle")
    failed(run("page", old_bundles / "toy-fp32", "-o", output), "npm is not installed")
    missing = run("page", old_bundles / "toy-fp32", "--runtime", tmp_path / "none", "-o", output)
    failed(missing, "does not exist", code=2)
    assert not output.exists()


def test_tasks_are_for_arc_alone(old_bundles: Path, archive: Path, tmp_path: Path) -> None:
    tasks = write_json(tmp_path / "tasks.json", {"a": TASK})
    output = tmp_path / "site"
    arguments = ("page", old_bundles / "toy-fp32", "--runtime", archive, "-o", output)
    failed(run(*arguments, "--tasks", tasks), "tasks are for a page of ARC grids", "is sudoku")
    assert not output.exists()


def test_a_page_of_arc_grids(archive: Path, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path)
    output = tmp_path / "site"
    arguments = ("page", bundle, "--runtime", archive, "-o", output)
    result = run(*arguments, "--tasks", tmp_path / "tasks.json", "--augmentations", 1)
    assert result.exit_code == 0, result.output
    content = json.loads(gzip.decompress((output / "examples" / "tasks.json.gz").read_bytes()))
    assert [len(task["variants"]) for task in content] == [2, 2]
    assert "<title>ARC grids, solved on your device</title>" in (output / "index.html").read_text()
    unknown = write_json(tmp_path / "unknown.json", {"a": TASK, "x": TASK, "y": TASK})
    result = run(*arguments, "--force", "--tasks", unknown)
    failed(result, "the bundle has no row for 2 of 3 tasks: x, y.", "trm-edge adapt")
    broken = write_json(tmp_path / "broken.json", {"a": TASK, "z": {"train": []}})
    result = run(*arguments, "--force", "--tasks", broken)
    failed(result, "1 task cannot be used", "task z: it has no 'test'")
