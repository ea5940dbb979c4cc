"""The target that is meant where none is named, and what helps where there is no such target."""

from __future__ import annotations

from pathlib import Path

import pytest

from trm_edge.errors import BundleError
from trm_edge.manifest import TargetRecord
from trm_edge.target_choice import chosen_target

BUNDLE = Path("my-bundle")
INT8 = TargetRecord("int8", "float32", 19, "cpu/step.onnx")
FP16 = TargetRecord("fp16", "float16", 19, "l4/step.onnx")


def test_cpu_or_the_only_target_is_meant() -> None:
    assert chosen_target(BUNDLE, {"l4": FP16, "cpu": INT8}, None) == "cpu"
    assert chosen_target(BUNDLE, {"l4": FP16}, None) == "l4"
    assert chosen_target(BUNDLE, {"l4": FP16, "cpu": INT8}, "l4") == "l4"


def test_several_targets_and_none_is_cpu() -> None:
    with pytest.raises(BundleError, match=r"none is cpu: l4, a100\. Choose one with --target"):
        chosen_target(BUNDLE, {"l4": FP16, "a100": FP16}, None)


@pytest.mark.parametrize(
    ("targets", "remedy"),
    [
        ({"cpu": INT8}, "again with: --int8 --target cpu --target l40s"),
        ({"cpu": INT8, "l4": FP16}, "trm-edge export --into my-bundle --target l40s"),
    ],
)
def test_a_target_that_is_not_there(targets: dict[str, TargetRecord], remedy: str) -> None:
    with pytest.raises(BundleError, match=f"has no target 'l40s'; it has .*{remedy}"):
        chosen_target(BUNDLE, targets, "l40s")
