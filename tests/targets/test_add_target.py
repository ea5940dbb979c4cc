"""Adding targets to a bundle: the old files stay, the new graph is that of a full export."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest

from tests.fuzz.test_bundles import forge
from tests.toys import BASE, write_run
from trm_edge.bundle import Bundle
from trm_edge.errors import (
    BundleError,
    CalibrationError,
    CheckpointError,
    ConfigError,
    OutputExistsError,
)
from trm_edge.export.checkpoint import Checkpoint, load_checkpoint
from trm_edge.files import hash_file
from trm_edge.manifest import FloatLayer, Limits
from trm_edge.targets.add_target import add_targets
from trm_edge.targets.export_bundle import export_bundle
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.request import ExportRequest
from trm_edge.tasks import task_for

CPU = load_profile("cpu")
L4 = load_profile("l4")
H100 = load_profile("h100")
Export = Callable[..., Bundle]

pytestmark = pytest.mark.filterwarnings("ignore::trm_edge.errors.CalibrationWarning")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return load_checkpoint(write_run(tmp_path_factory.mktemp("run"), BASE))


@pytest.fixture
def export(checkpoint: Checkpoint, toy_dataset: Path, tmp_path: Path) -> Export:
    """Exports the toy under a name, with changes to the request."""
    request = ExportRequest(
        checkpoint=checkpoint,
        task=task_for(checkpoint.config),
        precision="int8",
        targets=(L4,),
        dataset=toy_dataset,
        limits=Limits(max_drop=100, min_halting_agreement=0),
    )
    return lambda name, **changes: export_bundle(replace(request, **changes), tmp_path / name)


def hashes(folder: Path) -> dict[str, str]:
    """sha256 of every file but the manifest."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): hash_file(path)
        for path in files
        if path.name != "manifest.json"
    }


@pytest.mark.parametrize("precision", ["int8", "fp8", "fp16", "fp32"])
def test_equals_an_export_for_both_targets(
    precision: Any, export: Export, checkpoint: Checkpoint
) -> None:
    bundle = export("single", precision=precision)
    built = bundle.path / "l4" / "step.engine"
    built.write_bytes(b"an engine built on the device")
    before = hashes(bundle.path)
    added = add_targets(bundle, checkpoint, [CPU, H100])
    after = hashes(added.path)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"cpu/step.onnx", "h100/step.onnx"}
    full = export("full", precision=precision, targets=(L4, CPU, H100))
    opened = Bundle.open(bundle.path)
    assert opened.manifest.targets == full.manifest.targets
    for name in ("l4/step.onnx", "cpu/step.onnx", "h100/step.onnx"):
        assert after[name] == full.manifest.files[name].sha256
    assert set(opened.manifest.files) == set(after) - {"l4/step.engine"}
    assert opened.manifest.limits == bundle.manifest.limits
    assert opened.manifest.checkpoint == bundle.manifest.checkpoint
    assert sorted(path.name for path in bundle.path.parent.iterdir()) == ["full", "single"]


def test_a_target_that_exists_is_replaced_on_request(
    export: Export, checkpoint: Checkpoint
) -> None:
    bundle = export("b", precision="fp16")
    (bundle.path / "l4" / "step.engine").write_bytes(b"built from the old graph")
    with pytest.raises(OutputExistsError, match=r"has the target l4 already\. Pass --force"):
        add_targets(bundle, checkpoint, [L4])
    changed = replace(L4, batch=(1, 2, 3))
    replaced = add_targets(bundle, checkpoint, [changed], force=True)
    assert replaced.manifest.targets["l4"].profile == changed
    assert not (bundle.path / "l4" / "step.engine").exists()
    Bundle.open(bundle.path)


def test_another_checkpoint_is_refused(
    export: Export, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    bundle = export("b", precision="fp16")
    before = hashes(bundle.path)
    another = load_checkpoint(write_run(tmp_path / "other", BASE, seed=1))
    with pytest.raises(CheckpointError, match=r"was made from another checkpoint: step_10"):
        add_targets(bundle, another, [CPU])
    config = replace(checkpoint.config, H_cycles=1)
    with pytest.raises(CheckpointError, match="under another configuration"):
        add_targets(bundle, replace(checkpoint, config=config), [CPU])
    assert hashes(bundle.path) == before


def test_a_precision_that_the_target_lacks_is_refused(
    export: Export, checkpoint: Checkpoint
) -> None:
    bundle = export("b", precision="fp8")
    with pytest.raises(ConfigError, match="a100"):
        add_targets(bundle, checkpoint, [load_profile("a100")])


def test_per_token_calibration_has_no_static_ranges(export: Export, checkpoint: Checkpoint) -> None:
    bundle = export("b", targets=(CPU,))
    message = r"l4 needs per-tensor ranges .*Export again .* --target cpu --target l4\."
    with pytest.raises(CalibrationError, match=message):
        add_targets(bundle, checkpoint, [replace(L4, int8_ranges="per_layer")])
    added = add_targets(bundle, checkpoint, [L4])
    assert list(added.manifest.targets) == ["cpu", "l4"]


def test_a_fine_tuned_bundle_is_refused(export: Export, checkpoint: Checkpoint) -> None:
    bundle = export("b")
    path = bundle.path / "calibration.json"
    content = json.loads(path.read_text())
    content["finetune"] = {"steps": 3}
    path.write_text(json.dumps(content))
    forge(bundle.path, "calibration.json")
    with pytest.raises(CalibrationError, match="does not hold the fine-tuned weights"):
        add_targets(Bundle.open(bundle.path), checkpoint, [CPU])


def test_targets_of_several_precisions_are_refused(export: Export, checkpoint: Checkpoint) -> None:
    bundle = export("b", precision="fp16")
    (record,) = bundle.manifest.targets.values()
    targets = {"l4": record, "h100": replace(record, precision="fp32")}
    mixed = Bundle(bundle.path, replace(bundle.manifest, targets=targets))
    with pytest.raises(BundleError, match="one precision for all targets"):
        add_targets(mixed, checkpoint, [CPU])


def test_layers_returned_to_float_stay_in_float(export: Export, checkpoint: Checkpoint) -> None:
    bundle = export("b")
    (record,) = bundle.manifest.targets.values()
    layer = FloatLayer("layers.1.mlp.down_proj", "for the test")
    changed = replace(record, float_layers=(layer, *record.float_layers))
    manifest = replace(bundle.manifest, targets={"l4": changed})
    added = add_targets(Bundle(bundle.path, manifest), checkpoint, [CPU])
    assert added.manifest.targets["cpu"].float_layers == changed.float_layers
    graph = onnx.load(added.path / "cpu/step.onnx").graph
    element_types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    assert element_types["layers.1.mlp.down_proj"] == onnx.TensorProto.FLOAT
    assert onnx.TensorProto.INT8 in element_types.values()
