"""A manifest is read strictly: keys, types, limits and paths."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trm_edge.bundle import MANIFEST, Bundle
from trm_edge.errors import BundleError, ConfigError
from trm_edge.manifest import Limits, Manifest


def edit(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = bundle / MANIFEST
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(format="trm-edge.bundle/2"), "reads trm-edge.bundle/1. Upgrade"),
        (lambda m: m.update(format="other/1"), "is not a trm-edge bundle: its format is 'other/1'"),
        (lambda m: m.pop("format"), "it has no format"),
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
    change: Callable[[dict[str, Any]], object], message: str, toy_bundle_copy: Path
) -> None:
    edit(toy_bundle_copy, change)
    with pytest.raises(BundleError, match=message):
        Bundle.open(toy_bundle_copy)


def test_what_is_written_is_read(toy_bundle: Path, tmp_path: Path) -> None:
    manifest = Manifest.read(toy_bundle / MANIFEST)
    copy = tmp_path / MANIFEST
    copy.write_text(manifest.to_json())
    assert Manifest.read(copy) == manifest
    assert json.loads(copy.read_text()) == json.loads((toy_bundle / MANIFEST).read_text())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_drop": -1.0}, r"max_drop must lie in 0\.\.100 points, but got -1"),
        ({"max_drop": float("nan")}, "max_drop must lie in .* but got nan"),
        ({"min_halting_agreement": 1.1}, r"min_halting_agreement must lie in 0\.\.1, but got 1\.1"),
    ],
)
def test_limits_out_of_range(values: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Limits(**values)
