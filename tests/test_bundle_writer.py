"""A bundle is written whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from trm_edge.bundle import Bundle
from trm_edge.bundle_writer import BundleWriter
from trm_edge.errors import OutputError, OutputExistsError


def test_nothing_is_overwritten_unless_asked(toy_bundle_copy: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(OutputExistsError, match=r"exists already\. Pass --force"),
        BundleWriter(toy_bundle_copy),
    ):
        raise AssertionError
    other = tmp_path / "documents"
    other.mkdir()
    (other / "letter.txt").write_text("dear")
    with (
        pytest.raises(OutputExistsError, match="is not a bundle, so --force"),
        BundleWriter(other, force=True),
    ):
        raise AssertionError
    assert (other / "letter.txt").read_text() == "dear"


def test_replaces_whole(toy_bundle_copy: Path) -> None:
    bundle = toy_bundle_copy
    manifest = Bundle.open(bundle).manifest
    (bundle / "old.txt").write_text("old")
    with BundleWriter(toy_bundle_copy, force=True) as writer:
        for name in manifest.files:
            writer.path(name).write_bytes((bundle / name).read_bytes())
        writer.finish(manifest)
    assert not (bundle / "old.txt").exists()
    assert [entry.name for entry in bundle.parent.iterdir()] == ["bundle"]
    Bundle.open(bundle)


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with BundleWriter(tmp_path / "out") as writer:
            writer.path("a/b").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_kill_leaves_nothing_that_looks_like_a_bundle(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from trm_edge.bundle_writer import BundleWriter
        with BundleWriter(Path(sys.argv[1])) as writer:
            writer.path("cpu/step.onnx").write_bytes(b"x" * 1000)
            print("writing", flush=True)
            time.sleep(60)
        """
    )
    output = tmp_path / "out"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(output)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    assert not output.exists()
    with BundleWriter(output) as writer:  # what was left does not stand in the way
        assert writer.folder.is_dir()


def test_unwritable_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OutputError, match=r"cannot write .*out: "),
        BundleWriter(tmp_path / "file" / "out"),
    ):
        raise AssertionError


def test_a_failed_rename_is_our_error_and_keeps_the_old_bundle(
    toy_bundle_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = Bundle.open(toy_bundle_copy).manifest

    def full(source: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    with BundleWriter(toy_bundle_copy, force=True) as writer:
        for name in manifest.files:
            writer.path(name).write_bytes((toy_bundle_copy / name).read_bytes())
        with pytest.raises(OutputError, match="No space left on device"):
            writer.finish(manifest)
    Bundle.open(toy_bundle_copy)
    assert [path.name for path in toy_bundle_copy.parent.iterdir()] == [toy_bundle_copy.name]


def test_records_are_hashes_and_sizes_by_path(tmp_path: Path) -> None:
    with BundleWriter(tmp_path / "out") as writer:
        writer.path("b.txt").write_bytes(b"abc")
        writer.path("a/c.txt").write_bytes(b"")
        records = writer.records()
    assert list(records) == ["a/c.txt", "b.txt"]
    assert records["b.txt"].size == 3
    assert records["b.txt"].sha256.startswith("ba7816bf")


def test_a_bundle_is_readable_by_others(toy_bundle: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    assert (toy_bundle.stat().st_mode & 0o777) == 0o777 & ~mask
