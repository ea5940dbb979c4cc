from __future__ import annotations

from pathlib import Path

import pytest

from trm_edge.bundle import Bundle
from trm_edge.errors import BundleError
from trm_edge.evaluation.selection import select_targets


def test_all_targets_or_the_named_ones(toy_bundle: Path) -> None:
    bundle = Bundle.open(toy_bundle)
    assert select_targets([bundle]) == [(bundle, "cpu")]
    assert select_targets([bundle, bundle], ["cpu"]) == [(bundle, "cpu")] * 2
    with pytest.raises(BundleError, match="no bundle has a target 'l4'; the targets are cpu"):
        select_targets([bundle], ["cpu", "l4"])
