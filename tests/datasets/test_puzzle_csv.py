"""Sudoku and maze folders are the published builders', but for random numbers without a seed."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trm_edge.datasets.puzzle_csv import write_puzzles
from trm_edge.errors import ConfigError, PuzzleError

DATA = Path(__file__).parents[1] / "data" / "puzzle_csv.tar.gz"
SOLVED = "123456789456789123789123456214365897365897214897214365531642978642978531978531642"
HEADER = "source,question,answer,rating\n"


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the published CSV files and datasets; do not change it."""
    folder = tmp_path_factory.mktemp("csv")
    with tarfile.open(DATA) as archive:
        archive.extractall(folder, filter="data")
    return folder


def write_case(golden: Path, name: str, output: Path) -> dict[str, Any]:
    case: dict[str, Any] = json.loads((golden / "data.json").read_text())[name]
    write_puzzles(
        case["kind"],
        golden / case["csv"],
        output,
        augmentations=case["aug"],
        min_difficulty=case.get("min_difficulty", 0),
    )
    return case


@pytest.mark.parametrize("name", ["sudoku", "sudoku_min", "maze", "maze_aug"])
def test_published_folders_byte_for_byte(name: str, golden: Path, tmp_path: Path) -> None:
    case = write_case(golden, name, tmp_path / "out")
    published = golden / case["folder"]
    paths = [path for path in published.rglob("*") if path.is_file()]
    assert len(paths) == 13
    for path in paths:
        ours = tmp_path / "out" / path.relative_to(published)
        assert ours.read_bytes() == path.read_bytes(), path


def test_augmented_sudokus_are_images_of_their_originals(golden: Path, tmp_path: Path) -> None:
    case = write_case(golden, "sudoku_aug", tmp_path / "out")
    for split in ("train", "test"):
        for published in (golden / case["folder"] / split).iterdir():
            ours = tmp_path / "out" / split / published.name
            if published.name not in ("all__inputs.npy", "all__labels.npy") or split == "test":
                assert ours.read_bytes() == published.read_bytes()
                continue
            images = np.load(ours)
            expected = np.load(published)
            assert images.shape == expected.shape
            assert images.dtype == expected.dtype
            count = case["aug"] + 1
            assert np.array_equal(images[::count], expected[::count])
    inputs = np.load(tmp_path / "out" / "train" / "all__inputs.npy")
    labels = np.load(tmp_path / "out" / "train" / "all__labels.npy")
    assert ((inputs == 1) | (inputs == labels)).all()
    digits = np.arange(2, 11)
    for label in labels.reshape(-1, 9, 9):
        boxes = label.reshape(3, 3, 3, 3).transpose(0, 2, 1, 3).reshape(9, 9)
        for lines in (label, label.T, boxes):
            assert (np.sort(lines, axis=1) == digits).all()
    assert len(np.unique(inputs, axis=0)) == len(inputs)


def test_one_file_is_one_split(tmp_path: Path) -> None:
    question = "." + SOLVED[1:]
    for name, split in (("hard", "test"), ("train", "train")):
        path = tmp_path / f"{name}.csv"
        path.write_text(f"{HEADER}x,{question},{SOLVED},1\n")
        assert write_puzzles("sudoku", path, tmp_path / name) == {split: 1}
        assert not (tmp_path / name / ({"train", "test"} - {split}).pop()).exists()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("x,1,2\n", "line 2: it has 3 columns"),
        (f"x,{SOLVED[1:]},{SOLVED},1\n", "must be 81 characters, but has 80"),
        (f"x,{SOLVED},{SOLVED[1:]},1\n", "line 2, answer: it has 80 characters"),
        (f"x,{SOLVED},{'.' + SOLVED[1:]},1\n", "answer: it holds '.'"),
        (f"x,{'x' + SOLVED[1:]},{SOLVED},1\n", "question: it holds 'x'"),
        (f"x,{SOLVED},{SOLVED},hard\n", "rating must be a whole number"),
        ("", "has no puzzle"),
        (f"x,{'1' * 70_000},1,1\n", "longer than 65,536 bytes"),
    ],
)
def test_wrong_lines(line: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "test.csv"
    path.write_text(HEADER + line)
    with pytest.raises(PuzzleError, match=reason):
        write_puzzles("sudoku", path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_as_difficult(golden: Path, tmp_path: Path) -> None:
    with pytest.raises(PuzzleError, match="no puzzle of a rating of 1000 or more"):
        write_puzzles("sudoku", golden / "csv" / "sudoku", tmp_path / "out", min_difficulty=1000)


def test_mazes_have_seven_images(golden: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be 0 or 7, got 3"):
        write_puzzles("maze", golden / "csv" / "maze", tmp_path / "out", augmentations=3)


def test_a_folder_needs_both_files(tmp_path: Path) -> None:
    with pytest.raises(PuzzleError, match=r"train\.csv does not exist"):
        write_puzzles("maze", tmp_path, tmp_path / "out")
