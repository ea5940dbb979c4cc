"""A bundle is written whole or not at all."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from trm_edge import folder_swap
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


SCRIPT = """
import resource, signal, sys, time
from pathlib import Path
from trm_edge.bundle_writer import BundleWriter
from trm_edge.cli.main import cli, main

@cli.command("write")
def write():
    with BundleWriter(Path(sys.argv[1])) as writer:
        writer.path("cpu/step.onnx").write_bytes(b"x" * 1000)
        print("writing", flush=True)
        time.sleep(600)

cli.resolve_command = lambda context, arguments: ("write", write, arguments[1:])
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
main(["write"])
"""


@contextmanager
def another_export(output: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is writing a bundle, killed at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(output)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cleans_up(number: int, code: int, tmp_path: Path) -> None:
    with another_export(tmp_path / "out") as process:
        process.send_signal(number)
        _, stderr = process.communicate()
    assert process.returncode == code
    assert stderr.strip() == "Aborted!"
    assert list(tmp_path.iterdir()) == []


def test_a_kill_leaves_nothing_that_looks_like_a_bundle(tmp_path: Path) -> None:
    output = tmp_path / "out"
    with another_export(output):
        pass
    assert not output.exists()
    (left,) = tmp_path.iterdir()
    with BundleWriter(output) as writer:  # what was left is removed
        assert list(tmp_path.iterdir()) == [writer.folder]
        assert writer.folder != left
    assert list(tmp_path.iterdir()) == []


def test_two_exports_to_one_place(toy_bundle_copy: Path) -> None:
    output = toy_bundle_copy.with_name("out")
    with another_export(output) as process:
        message = rf"another process \({process.pid}\) is writing .*out now\. Wait until it ends"
        with pytest.raises(OutputError, match=message), BundleWriter(output):
            raise AssertionError
        assert process.poll() is None
    # Without locks the second one finds out at the end.
    manifest = Bundle.open(toy_bundle_copy).manifest
    with BundleWriter(output) as writer:
        for name in manifest.files:
            writer.path(name).write_bytes((toy_bundle_copy / name).read_bytes())
        shutil.copytree(toy_bundle_copy, output)
        (output / "of the first").touch()
        with pytest.raises(OutputExistsError, match=r"exists already\. Pass --force"):
            writer.finish(manifest)
    assert (output / "of the first").exists()
    assert sorted(path.name for path in output.parent.iterdir()) == ["bundle", "out"]


def test_an_export_over_a_bundle_that_is_being_read(toy_bundle_copy: Path) -> None:
    """What was opened stays readable; what is opened next is the new bundle."""
    manifest = Bundle.open(toy_bundle_copy).manifest
    with (toy_bundle_copy / "manifest.json").open() as file:
        with BundleWriter(toy_bundle_copy, force=True) as writer:
            for name in manifest.files:
                writer.path(name).write_bytes((toy_bundle_copy / name).read_bytes())
            writer.finish(replace(manifest, tools={"made": "new"}))
        assert '"made"' not in file.read()
    assert Bundle.open(toy_bundle_copy).manifest.tools == {"made": "new"}


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX limits")
@pytest.mark.parametrize(
    "write",
    ["np.save(path, np.zeros(10000))", "np.savez(path, a=np.zeros(10000))", "path.write_bytes(b)"],
)
def test_a_full_disk(write: str, tmp_path: Path) -> None:
    """A limit of the file size fails as a full disk does."""
    script = f"""
import resource, sys
import numpy as np
from pathlib import Path
from trm_edge.bundle_writer import BundleWriter
from trm_edge.errors import OutputError
b = b"x" * 80000
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    with BundleWriter(Path(sys.argv[1])) as writer:
        path = writer.path("parity.npz")
        {write}
except OutputError as error:
    print(error)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "out")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.startswith(f"cannot write {tmp_path / 'out'}: ")
    assert "Free some space there, or choose another -o." in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_reading_is_not_blamed_on_the_output(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), BundleWriter(tmp_path / "out"):
        (tmp_path / "absent").read_bytes()


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

    monkeypatch.setattr(folder_swap, "exchange", full)
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
