"""Names in mapped files are those that were written, and are found by bisection."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from trm_edge.errors import BundleError
from trm_edge.files import hash_file
from trm_edge.identifiers import BLANK, RowNames
from trm_edge.manifest import FileRecord
from trm_edge.name_index import (
    INDEX_FILES,
    NAMES_ORDER,
    NAMES_STARTS,
    NAMES_TEXT,
    NameIndex,
    open_name_index,
    write_name_index,
)
from trm_edge.verified_files import VerifiedFiles

NAMES = [BLANK, "größe", "b|||t3|||0192837465", "", "a\nb", "b", BLANK, "a"]


def written(folder: Path, names: Sequence[str]) -> NameIndex:
    write_name_index(folder, names)
    return reopened(folder, len(names))


def reopened(folder: Path, count: int) -> NameIndex:
    records = {}
    for name in INDEX_FILES:
        path = folder / name
        if path.exists():
            records[name] = FileRecord(hash_file(path), path.stat().st_size)
    return open_name_index(VerifiedFiles(folder, records), count)


def test_it_is_a_sequence_of_the_names(tmp_path: Path) -> None:
    names = written(tmp_path, NAMES)
    assert len(names) == len(NAMES)
    assert list(names) == NAMES
    assert names[-1] == "a"
    assert names[1:3] == NAMES[1:3]
    assert "größe" in names
    assert "grö" not in names
    with pytest.raises(IndexError, match="there is no row 8, but there are 8"):
        names[8]
    names.check()


def test_the_text_has_a_name_a_line(tmp_path: Path) -> None:
    write_name_index(tmp_path, [BLANK, "a", "b"])
    assert (tmp_path / NAMES_TEXT).read_text() == "<blank>\na\nb\n"


def test_names_are_found_like_in_a_dictionary(tmp_path: Path) -> None:
    generator = random.Random(0)
    names = [f"{generator.randrange(3000):04x}|||t{row % 8}" for row in range(2000)]
    index = written(tmp_path, names)
    queries = [f"{number:04x}|||t{number % 8}" for number in range(3000)]
    generator.shuffle(queries)
    expected = [names.index(name) if name in names else -1 for name in queries]
    assert index.rows(queries).tolist() == expected
    assert [int(index.rows([name])[0]) for name in queries[:200]] == expected[:200]
    assert index.rows([]).tolist() == []
    index.check()


def test_row_names_ask_the_index(tmp_path: Path) -> None:
    names = RowNames(lambda: written(tmp_path, NAMES))
    plain = RowNames(lambda: NAMES)
    for name in (*NAMES, "c", "a\n"):
        assert names.row(name) == plain.row(name)
    assert names.are(NAMES)
    assert not names.are(NAMES[:-1])
    assert not names.are([*NAMES[:-1], "c"])


@pytest.mark.parametrize("missing", INDEX_FILES)
def test_a_file_that_is_missing(missing: str, tmp_path: Path) -> None:
    write_name_index(tmp_path, NAMES)
    (tmp_path / missing).unlink()
    if missing == NAMES_TEXT:
        with pytest.raises(BundleError, match=f"{missing} is missing"):
            reopened(tmp_path, len(NAMES))
        return
    with pytest.raises(BundleError, match=f"does not name the model's rows: {missing} is missing"):
        reopened(tmp_path, len(NAMES))


@pytest.mark.parametrize("count", [7, 9])
def test_another_number_of_rows(count: int, tmp_path: Path) -> None:
    write_name_index(tmp_path, NAMES)
    with pytest.raises(BundleError, match=rf"does not name .*: it must be \({count + 1},\) int64"):
        reopened(tmp_path, count)


def test_a_text_of_another_size(tmp_path: Path) -> None:
    write_name_index(tmp_path, NAMES)
    with (tmp_path / NAMES_TEXT).open("a") as file:
        file.write("more\n")
    with pytest.raises(BundleError, match=r"names\.txt does not name .*are not those of 8 names"):
        reopened(tmp_path, len(NAMES))


def test_what_a_sender_changed(tmp_path: Path) -> None:
    write_name_index(tmp_path, NAMES)
    starts = np.load(tmp_path / NAMES_STARTS)
    order = np.load(tmp_path / NAMES_ORDER)

    np.save(tmp_path / NAMES_ORDER, np.array([99] * len(NAMES), np.int32))
    with pytest.raises(BundleError, match="the order holds the row 99, and there are 8 rows"):
        reopened(tmp_path, len(NAMES)).rows(["a"])
    np.save(tmp_path / NAMES_ORDER, order[::-1].copy())
    with pytest.raises(BundleError, match="the order of the rows is not that of their names"):
        reopened(tmp_path, len(NAMES)).check()

    np.save(tmp_path / NAMES_ORDER, order)
    moved = starts.copy()
    moved[3] = 1 << 40
    np.save(tmp_path / NAMES_STARTS, moved)
    with pytest.raises(BundleError, match="the name of row 2 lies outside of the text"):
        list(reopened(tmp_path, len(NAMES)))

    np.save(tmp_path / NAMES_STARTS, starts)
    text = (tmp_path / NAMES_TEXT).read_bytes()
    (tmp_path / NAMES_TEXT).write_bytes(text.replace(b"gr", b"\xff\xff"))
    with pytest.raises(BundleError, match="a name is not UTF-8"):
        reopened(tmp_path, len(NAMES))[1]
