"""A bundle is opened whole: every file agrees with the manifest, whatever version wrote it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.replaced import replace_bundle
from trm_edge.bundle import MANIFEST, Bundle
from trm_edge.errors import BundleError
from trm_edge.verified_files import VerifiedFiles


def test_opens_and_hands_out_what_is_inside(toy_bundle_copy: Path) -> None:
    opened = Bundle.open(toy_bundle_copy)
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
def test_one_flipped_bit_is_found(name: str, toy_bundle_copy: Path) -> None:
    path = toy_bundle_copy / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=rf"{name} is not what was exported .*sha256"):
        Bundle.open(toy_bundle_copy)


def test_a_truncated_file_is_found(toy_bundle_copy: Path) -> None:
    path = toy_bundle_copy / "cpu/step.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BundleError, match=r"step\.onnx has \d+ bytes, but \d+ were written"):
        Bundle.open(toy_bundle_copy)


def test_a_missing_file_is_found(toy_bundle_copy: Path) -> None:
    (toy_bundle_copy / "parity.npz").unlink()
    with pytest.raises(BundleError, match=r"parity\.npz is missing"):
        Bundle.open(toy_bundle_copy)


def test_the_size_of_a_file_that_is_gone(toy_bundle_copy: Path) -> None:
    bundle = Bundle.open(toy_bundle_copy)
    _, record = bundle.target()
    graph = toy_bundle_copy / record.step
    assert bundle.size_of() == graph.stat().st_size
    graph.unlink()
    with pytest.raises(BundleError, match=r"cannot read .* run the command again"):
        bundle.size_of()


def test_a_link_out_of_the_bundle_is_refused(toy_bundle_copy: Path, tmp_path: Path) -> None:
    path = toy_bundle_copy / "parity.npz"
    path.rename(tmp_path / "outside.npz")
    path.symlink_to(tmp_path / "outside.npz")
    with pytest.raises(BundleError, match="is a link that leads out of the bundle"):
        Bundle.open(toy_bundle_copy)


def test_what_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"is not a bundle: there is no manifest\.json"):
        Bundle.open(tmp_path)
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(BundleError, match="is not valid JSON"):
        Bundle.open(tmp_path)
    (tmp_path / MANIFEST).write_bytes(b"\xff\xfe")
    with pytest.raises(BundleError, match="is not UTF-8 text"):
        Bundle.open(tmp_path)
    with pytest.raises(BundleError, match=rf"is a file of a bundle\. Pass its folder: {tmp_path}"):
        Bundle.open(tmp_path / MANIFEST)
    (tmp_path / "puzzles.txt").write_text("53..7")
    with pytest.raises(BundleError, match=r"puzzles\.txt is not a folder, and a bundle is one"):
        Bundle.open(tmp_path / "puzzles.txt")
    with pytest.raises(BundleError, match=r"^there is no bundle nothing\. Check the path"):
        Bundle.open(Path("nothing"))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "step_7").write_bytes(b"weights")
    for path in (tmp_path / "run", tmp_path / "run" / "step_7"):
        with pytest.raises(BundleError, match=f"a checkpoint. Make one .* export {path} --int8"):
            Bundle.open(path)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(BundleError, match="loop is not a folder"):
        Bundle.open(tmp_path / "loop")


def test_a_target_that_is_not_there(toy_bundle_copy: Path) -> None:
    with pytest.raises(BundleError, match="has no target 'orin'; it has cpu"):
        Bundle.open(toy_bundle_copy).target("orin")
    again = r"Export the checkpoint again with: --int8 --target cpu --target orin"
    with pytest.raises(BundleError, match=again):
        Bundle.open(toy_bundle_copy).target("orin")


def test_files_beside_the_manifest_s_are_left_alone(toy_bundle_copy: Path) -> None:
    """An engine is built into the bundle later, on the device."""
    (toy_bundle_copy / "cpu" / "step.engine").write_bytes(b"engine")
    Bundle.open(toy_bundle_copy)


@pytest.mark.parametrize("replacements", [1, 3])
def test_a_bundle_that_is_replaced_while_it_is_opened(
    replacements: int, toy_bundle_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify_all = VerifiedFiles.verify_all
    versions = [f"version {number}" for number in range(replacements)]

    def replace_first(files: VerifiedFiles) -> None:
        with monkeypatch.context() as unpatched:
            unpatched.setattr(VerifiedFiles, "verify_all", verify_all)
            if versions:
                replace_bundle(toy_bundle_copy, versions.pop())
        verify_all(files)

    monkeypatch.setattr(VerifiedFiles, "verify_all", replace_first)
    bundle = Bundle.open(toy_bundle_copy)
    assert bundle.manifest.tools == {"made": "version 0"}
    assert not bundle.was_replaced()
    assert versions == []


def test_a_bundle_that_was_replaced_is_told_from_a_damaged_one(toy_bundle_copy: Path) -> None:
    bundle = Bundle.open(toy_bundle_copy)
    (toy_bundle_copy / "cpu/step.onnx").write_bytes(b"")
    assert not bundle.was_replaced()
    (toy_bundle_copy / MANIFEST).unlink()
    assert bundle.was_replaced()
