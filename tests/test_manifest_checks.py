"""A manifest names no path outside its bundle, and asks for no more than a model needs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.toys import BASE
from trm_edge.config import ModelConfig
from trm_edge.errors import BundleError
from trm_edge.manifest_checks import check_file, check_inside, check_limits, check_target_name


@pytest.mark.parametrize("path", ["", "/a", "../a", "a/../b", "a\\b", "C:a"])
def test_paths_that_lead_out_of_the_bundle(path: str) -> None:
    with pytest.raises(BundleError, match="leads out of the bundle"):
        check_inside(path, "manifest.json")


@pytest.mark.parametrize("path", ["a", "a/b.onnx", "a..b", ".hidden/..x"])
def test_paths_inside_the_bundle(path: str) -> None:
    check_inside(path, "manifest.json")


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "../a", "x" * 101, "é"])
def test_names_that_no_target_has(name: str) -> None:
    with pytest.raises(BundleError, match="is not a name of a target"):
        check_target_name(name, "manifest.json")


def test_names_of_targets() -> None:
    for name in ("cpu", "jetson-orin-nano", "l4", "board.v2"):
        check_target_name(name, "manifest.json")


@pytest.mark.parametrize(("size", "sha256"), [(-1, "0" * 64), (1, "0" * 63), (1, "g" * 64)])
def test_sizes_and_hashes_that_no_file_has(size: int, sha256: str) -> None:
    with pytest.raises(BundleError, match=r"size and sha256 of parity\.npz"):
        check_file("parity.npz", size, sha256, "manifest.json")


@pytest.mark.parametrize(
    ("files", "size", "model", "message"),
    [
        (1001, 1, BASE, "1001 files, but at most 1000"),
        (1, 9 << 30, BASE, "bytes in its files"),
        (1, 1, replace(BASE, halt_max_steps=1001), "1001 steps"),
        (1, 1, replace(BASE, seq_len=1 << 27), "numbers in a carry"),
    ],
)
def test_a_bundle_that_asks_for_too_much(
    files: int, size: int, model: ModelConfig, message: str
) -> None:
    check_limits(1, 1, BASE, "manifest.json")
    with pytest.raises(BundleError, match=message):
        check_limits(files, size, model, "manifest.json")
