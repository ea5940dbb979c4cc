"""Few names are packed, many are looked up in place; a bundle reads both."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.logs import logged
from tests.tasks.test_numbering import dataset, rows_of
from trm_edge import row_names_file
from trm_edge.bundle import Bundle
from trm_edge.errors import BundleError
from trm_edge.files import hash_file
from trm_edge.identifiers import BLANK, RowNames
from trm_edge.name_index import INDEX_FILES, NAMES_TEXT, NameIndex
from trm_edge.row_names_file import IDENTIFIERS, write_names

NAMES = [BLANK, "b", "a"]


def named(bundle: Path, *files: str) -> Bundle:
    manifest = json.loads((bundle / "manifest.json").read_text())
    for name in files:
        size = (bundle / name).stat().st_size
        manifest["files"][name] = {"sha256": hash_file(bundle / name), "size": size}
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    return Bundle.open(bundle)


def test_few_names_are_packed(toy_bundle_copy: Path) -> None:
    write_names(toy_bundle_copy, NAMES)
    assert not (toy_bundle_copy / NAMES_TEXT).exists()
    assert named(toy_bundle_copy, IDENTIFIERS).identifiers() == NAMES


def test_many_names_are_looked_up(
    toy_bundle_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_names_file, "MOST_PACKED_NAMES", 2)
    write_names(toy_bundle_copy, NAMES)
    assert not (toy_bundle_copy / IDENTIFIERS).exists()
    bundle = named(toy_bundle_copy, *INDEX_FILES)
    names = bundle.identifiers()
    assert isinstance(names, NameIndex)
    assert list(names) == NAMES
    assert RowNames(bundle.identifiers).row("a") == 2
    bundle.verify()
    with logged() as lines:
        assert rows_of(bundle.task(), dataset(tmp_path / "same", [1, 2], NAMES)) == [1, 2]
        other = dataset(tmp_path / "other", [1, 2, 3], [BLANK, "a", "b", "new"])
        first, second, third = rows_of(bundle.task(), other)
    assert (first, second) == (2, 1)
    assert "the model has no row for new" in str(third)
    assert any("2 of 4 are found by name" in line for line in lines)


def test_names_of_another_table(toy_bundle_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_names_file, "MOST_PACKED_NAMES", 2)
    write_names(toy_bundle_copy, [*NAMES, "c"])
    with pytest.raises(BundleError, match=r"starts\.npy does not name the model's rows: it must"):
        named(toy_bundle_copy, *INDEX_FILES).identifiers()


def test_a_dataset_of_other_puzzles(toy_bundle_copy: Path, tmp_path: Path) -> None:
    write_names(toy_bundle_copy, NAMES)
    task = named(toy_bundle_copy, IDENTIFIERS).task()
    with logged() as lines:
        rows_of(task, dataset(tmp_path / "d", [1, 2], [BLANK, "x", "y"]))
    (line,) = lines
    assert "has no row for any of the 2 puzzles that" in line
    assert "it was trained on another dataset" in line
