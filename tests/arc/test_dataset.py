"""The dataset folder is the published builder's, byte for byte, and whole or absent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.arc.tasks import TASK, write_json
from trm_edge.arc import dataset as dataset_module
from trm_edge.arc.dataset import build_dataset
from trm_edge.arc.sources import read_subsets
from trm_edge.errors import ConfigError, OutputExistsError

SUBSETS = ["training", "evaluation"]


def content(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_published_dataset_byte_for_byte(golden: Path, tmp_path: Path) -> None:
    subsets = read_subsets(golden / "source" / "arc-agi", SUBSETS)
    output = tmp_path / "dataset"
    built = build_dataset(subsets, "evaluation", output, augmentations=8, seed=42)
    ours = content(output)
    published = content(golden / "dataset")
    assert set(ours) == set(published)
    for name, expected in published.items():
        assert ours[name] == expected, name
    assert built.tasks == 15
    assert built.identifiers == 128
    assert built.rows == {"train": 443, "test": 145}
    assert built.incomplete == 1


def test_the_test_subset_may_be_the_first(golden: Path, tmp_path: Path) -> None:
    """The published order of the splits is random then; here training rows come first."""
    subsets = read_subsets(golden / "source" / "arc-agi", ["evaluation", "training"])
    build_dataset(subsets, "evaluation", tmp_path / "a", augmentations=2)
    build_dataset(subsets, "evaluation", tmp_path / "b", augmentations=2)
    assert content(tmp_path / "a") == content(tmp_path / "b")
    offsets = np.load(tmp_path / "a" / "test" / "all__inputs.npy")[:, 0]
    assert (offsets >= 2).all()  # test rows are never moved
    identifiers = np.load(tmp_path / "a" / "train" / "all__puzzle_identifiers.npy")
    assert identifiers[0] == 1


def test_a_task_of_two_subsets_has_one_identifier(tmp_path: Path) -> None:
    for subset in ("x", "y"):
        write_json(tmp_path / f"p_{subset}_challenges.json", {"a": TASK})
    subsets = read_subsets(tmp_path / "p", ["x", "y"])
    built = build_dataset(subsets, "y", tmp_path / "out", augmentations=0)
    assert built.identifiers == 2
    assert built.rows == {"train": 5, "test": 1}


def test_the_test_subset_must_be_read(golden: Path, tmp_path: Path) -> None:
    subsets = read_subsets(golden / "source" / "arc-agi", SUBSETS)
    with pytest.raises(ConfigError, match="'concept' is not among the subsets"):
        build_dataset(subsets, "concept", tmp_path / "out")


def test_nothing_is_left_of_a_build_that_fails(
    golden: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subsets = read_subsets(golden / "source" / "arc-agi", SUBSETS)

    def fail(*arguments: Any, **options: Any) -> None:
        raise RuntimeError("a fault in the middle")

    monkeypatch.setattr(dataset_module, "_write_group", fail)
    with pytest.raises(RuntimeError, match="a fault"):
        build_dataset(subsets, "evaluation", tmp_path / "out", augmentations=1)
    assert list(tmp_path.iterdir()) == []


def test_only_a_dataset_is_replaced(golden: Path, tmp_path: Path) -> None:
    subsets = read_subsets(golden / "source" / "arc-agi", SUBSETS)
    output = tmp_path / "out"
    build_dataset(subsets, "evaluation", output, augmentations=0)
    with pytest.raises(OutputExistsError, match="exists already"):
        build_dataset(subsets, "evaluation", output, augmentations=0)
    build_dataset(subsets, "evaluation", output, augmentations=1, force=True)
    assert len(json.loads((output / "identifiers.json").read_text())) > 16
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("dear")
    with pytest.raises(OutputExistsError, match="is not a dataset folder"):
        build_dataset(subsets, "evaluation", tmp_path / "letters", force=True)
