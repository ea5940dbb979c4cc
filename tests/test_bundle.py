from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trm_edge.bundle import MANIFEST, Bundle
from trm_edge.bundle_writer import BundleWriter
from trm_edge.errors import BundleError, OutputError, OutputExistsError


@pytest.fixture
def bundle(toy_bundle: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    copy = tmp_path / "bundle"
    subprocess.run(["cp", "-r", str(toy_bundle), str(copy)], check=True)
    return copy


def edit(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = bundle / MANIFEST
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def test_opens_and_hands_out_what_is_inside(bundle: Path) -> None:
    opened = Bundle.open(bundle)
    name, target = opened.target()
    assert (name, target.precision) == ("cpu", "int8")
    table = opened.puzzle_embeddings()
    assert table is not None
    assert isinstance(table, np.memmap)
    assert opened.parity().tokens.shape[1] == opened.config.seq_len
    calibration = opened.calibration()
    assert calibration is not None
    assert calibration.checkpoint_sha256 == opened.manifest.checkpoint.sha256


@pytest.mark.parametrize("name", ["cpu/step.onnx", "parity.npz", "puzzle_embeddings.npy"])
def test_one_flipped_bit_is_found(name: str, bundle: Path) -> None:
    path = bundle / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=rf"{name} is not what was exported .*sha256"):
        Bundle.open(bundle)


def test_a_truncated_file_is_found(bundle: Path) -> None:
    path = bundle / "cpu/step.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BundleError, match=r"step\.onnx has \d+ bytes, but \d+ were written"):
        Bundle.open(bundle)


def test_a_missing_file_is_found(bundle: Path) -> None:
    (bundle / "parity.npz").unlink()
    with pytest.raises(BundleError, match=r"parity\.npz is missing"):
        Bundle.open(bundle)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(format="trm-edge.bundle/2"), "reads trm-edge.bundle/1. Upgrade"),
        (lambda m: m.update(format="other/1"), "is not a trm-edge bundle: its format is 'other/1'"),
        (lambda m: m.pop("format"), "its format is None"),
        (lambda m: m.pop("task"), "missing required field task"),
        (lambda m: m.update(extra=1), "unknown extra; the keys are model"),
        (lambda m: m["model"].update(H_cycles="x"), r"expected int, got str in model\.H_cycles"),
        (lambda m: m.update(targets={}), "targets must name at least one"),
        (lambda m: m.update(targets=3), "expected object, got int"),
        (lambda m: m["limits"].update(max_drop=-1), "max_drop must lie in"),
        (lambda m: m["files"].update({"../evil": m["files"]["parity.npz"]}), "leads out of"),
        (lambda m: m["files"].update({"/etc/passwd": m["files"]["parity.npz"]}), "leads out of"),
        (lambda m: m["files"].update({"C:\\x": m["files"]["parity.npz"]}), "leads out of"),
        (lambda m: m["targets"]["cpu"].update(step="elsewhere.onnx"), "is not in its files"),
        (lambda m: m["targets"]["cpu"].update(step="../../x"), "leads out of the bundle"),
    ],
)
def test_manifests_that_cannot_be_trusted(
    change: Callable[[dict[str, Any]], object], message: str, bundle: Path
) -> None:
    edit(bundle, change)
    with pytest.raises(BundleError, match=message):
        Bundle.open(bundle)


def test_a_link_out_of_the_bundle_is_refused(bundle: Path, tmp_path: Path) -> None:
    path = bundle / "parity.npz"
    path.rename(tmp_path / "outside.npz")
    path.symlink_to(tmp_path / "outside.npz")
    with pytest.raises(BundleError, match="is a link that leads out of the bundle"):
        Bundle.open(bundle)


def test_what_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"is not a bundle: there is no manifest\.json"):
        Bundle.open(tmp_path)
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(BundleError, match="is not valid JSON"):
        Bundle.open(tmp_path)
    (tmp_path / MANIFEST).write_bytes(b"\xff\xfe")
    with pytest.raises(BundleError, match="cannot be read"):
        Bundle.open(tmp_path)


def test_a_target_that_is_not_there(bundle: Path) -> None:
    with pytest.raises(BundleError, match="has no target 'orin'; it has cpu"):
        Bundle.open(bundle).target("orin")


def test_files_beside_the_manifest_s_are_left_alone(bundle: Path) -> None:
    """An engine is built into the bundle later, on the device."""
    (bundle / "cpu" / "step.engine").write_bytes(b"engine")
    Bundle.open(bundle)


def test_nothing_is_overwritten_unless_asked(bundle: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(OutputExistsError, match=r"exists already\. Pass --force"),
        BundleWriter(bundle),
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


def test_replaces_whole(bundle: Path) -> None:
    manifest = Bundle.open(bundle).manifest
    (bundle / "old.txt").write_text("old")
    with BundleWriter(bundle, force=True) as writer:
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
    time.sleep(0.05)
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


def test_a_bundle_is_readable_by_others(toy_bundle: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    assert (toy_bundle.stat().st_mode & 0o777) == 0o777 & ~mask
