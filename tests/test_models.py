"""Models of the repository that are too large for the wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from trm_edge.export.checkpoint import load_checkpoint

FOLDERS = sorted(path for path in (Path(__file__).parents[1] / "models").iterdir() if path.is_dir())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_model_loads_in_bfloat16_and_its_card_is_complete(folder: Path) -> None:
    weights = list(folder.glob("step_*"))
    if not weights:
        pytest.skip(f"{folder.name} has no weights yet: tools/write_bfloat16.py writes them")
    assert len(weights) == 1
    assert weights[0].stat().st_size <= 11_000_000
    checkpoint = load_checkpoint(folder)
    assert checkpoint.weight_type == "bfloat16"
    assert checkpoint.averaged is True
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "GAP" not in card
    assert f"`{weights[0].name}`" in card
    assert f"{checkpoint.parameters:,} parameters" in card
