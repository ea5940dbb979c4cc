"""Writes dataset folders from the published CSV files of Sudokus and mazes."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trm_edge.datasets.folder import SPLITS, DatasetWriter, SplitLayout
from trm_edge.datasets.images import maze_images, sudoku_images
from trm_edge.errors import ConfigError, PuzzleError
from trm_edge.files import error_reason, open_regular
from trm_edge.identifiers import BLANK
from trm_edge.printable import excerpt

PuzzleKind = Literal["sudoku", "maze"]

_LONGEST_LINE = 1 << 16  # bytes; one of a 30 x 30 maze has 1,900
_COLUMNS = 4  # source, question, answer, rating
_MOST_PUZZLES = 20_000_000
_MAZE_CHARACTERS = "# SGo"
_MAZE_IMAGES = 7  # beside the original
_DIGIT_TOKENS = 1  # token of digit 0, a blank


class _Kind(NamedTuple):
    """What tells the kinds of puzzles apart.

    Args:
        vocab_size: V, token ids.
        question_tokens: token of each character of a question; 0 for a wrong one, (256,) uint8.
        answer_tokens: the same for an answer.
    """

    vocab_size: int
    question_tokens: NDArray[np.uint8]
    answer_tokens: NDArray[np.uint8]


def _tokens(characters: str, first: int) -> NDArray[np.uint8]:
    table = np.zeros(256, np.uint8)
    for token, character in enumerate(characters, start=first):
        table[ord(character)] = token
    return table


_SUDOKU_QUESTION = _tokens("0123456789", _DIGIT_TOKENS)
_SUDOKU_QUESTION[ord(".")] = _DIGIT_TOKENS
_KINDS: dict[PuzzleKind, _Kind] = {
    "sudoku": _Kind(11, _SUDOKU_QUESTION, _tokens("123456789", _DIGIT_TOKENS + 1)),
    "maze": _Kind(6, _tokens(_MAZE_CHARACTERS, 1), _tokens(_MAZE_CHARACTERS, 1)),
}


class _Puzzles(NamedTuple):
    """Puzzles of one file.

    Args:
        questions: (N, L) uint8 tokens.
        answers: (N, L) uint8 tokens.
    """

    questions: NDArray[np.uint8]
    answers: NDArray[np.uint8]


def write_puzzles(
    kind: PuzzleKind,
    source: Path,
    output: Path,
    *,
    augmentations: int = 0,
    min_difficulty: int = 0,
    seed: int = 42,
    force: bool = False,
) -> dict[str, int]:
    """Write a dataset folder, whole or not at all.

    Args:
        kind: of the puzzles.
        source: folder with ``train.csv`` and ``test.csv``, or one file.
        output: folder that will be the dataset.
        augmentations: images of each training puzzle beside the original; 0 or 7 for mazes.
        min_difficulty: puzzles of a lower rating are left out.
        seed: of the random images; the published builder's are not seeded.
        force: replace a dataset that is there.

    Returns:
        Rows by split.

    Raises:
        ConfigError: mazes have no such number of images.
        PuzzleError: a file is missing, cannot be read or holds something else; names the line.
        OutputError: the folder cannot be written.
    """
    if kind == "maze" and augmentations not in (0, _MAZE_IMAGES):
        raise ConfigError(
            f"a maze has {_MAZE_IMAGES} turned and reflected images, so --augmentations must be 0 "
            f"or {_MAZE_IMAGES}, got {augmentations}."
        )
    random = np.random.RandomState(seed)
    rows = {}
    with DatasetWriter(output, force=force) as writer:
        for split, path in _files(source).items():
            puzzles = _read(kind, path, min_difficulty)
            count = augmentations if split == "train" else 0
            rows[split] = _write_split(writer, split, kind, puzzles, count, random)
        writer.write_identifiers([BLANK])
        writer.install()
    return rows


def _files(source: Path) -> dict[str, Path]:
    """The file of each split."""
    if source.is_file():
        split = source.stem if source.stem in SPLITS else "test"
        return {split: source}
    paths = {split: source / f"{split}.csv" for split in SPLITS}
    for path in paths.values():
        if not path.is_file():
            raise PuzzleError(
                f"{path} does not exist. Pass a CSV file, or a folder with train.csv and test.csv."
            )
    return paths


def _read(kind: PuzzleKind, path: Path, min_difficulty: int) -> _Puzzles:
    try:
        with open_regular(path) as file:
            return _parse(_KINDS[kind], kind, path, _records(file, path), min_difficulty)
    except OSError as error:
        raise PuzzleError(f"{path} cannot be read: {error_reason(error)}.") from error


def _records(file: BinaryIO, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Split lines of bounded length into columns; the first line is a header."""
    lines = iter(lambda: file.readline(_LONGEST_LINE + 1), b"")
    for number, line in enumerate(lines, start=1):
        if len(line) > _LONGEST_LINE:
            raise PuzzleError(f"{path}, line {number}: it is longer than {_LONGEST_LINE:,} bytes.")
        text = line.decode("latin-1").rstrip("\r\n")
        if number > 1 and text.strip():
            try:
                yield number, next(csv.reader([text]))
            except csv.Error as error:
                raise PuzzleError(f"{path}, line {number}: it is not CSV: {error}.") from error


def _parse(
    rules: _Kind,
    kind: PuzzleKind,
    path: Path,
    records: Iterator[tuple[int, list[str]]],
    min_difficulty: int,
) -> _Puzzles:
    questions = bytearray()
    answers = bytearray()
    length = 0
    count = 0
    for number, columns in records:
        place = f"{path}, line {number}"
        if len(columns) != _COLUMNS:
            raise PuzzleError(
                f"{place}: it has {len(columns)} columns, expected source, question, answer, "
                "rating."
            )
        _, question, answer, rating = columns
        if _rating(rating, place) < min_difficulty:
            continue
        length = length or _checked_length(kind, question, place)
        questions += _encoded(question, rules.question_tokens, length, f"{place}, question")
        answers += _encoded(answer, rules.answer_tokens, length, f"{place}, answer")
        count += 1
        if count > _MOST_PUZZLES:
            raise PuzzleError(f"{path} has more than {_MOST_PUZZLES:,} puzzles. Split it.")
    if not count:
        least = f" of a rating of {min_difficulty} or more" if min_difficulty else ""
        raise PuzzleError(
            f"{path} has no puzzle{least} below its header, which is source,question,answer,rating."
        )
    shape = (count, length)
    question_rows = np.frombuffer(questions, np.uint8).reshape(shape)
    return _Puzzles(question_rows, np.frombuffer(answers, np.uint8).reshape(shape))


def _rating(text: str, place: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise PuzzleError(
            f"{place}: the rating must be a whole number, got {excerpt(text, 20)}."
        ) from error


def _checked_length(kind: PuzzleKind, question: str, place: str) -> int:
    length = len(question)
    side = int(length**0.5)
    if not length or side * side != length or (kind == "sudoku" and length != 81):
        expected = "81 characters" if kind == "sudoku" else "a square of characters"
        raise PuzzleError(f"{place}: the question must be {expected}, but has {length}.")
    return length


def _encoded(text: str, table: NDArray[np.uint8], length: int, place: str) -> bytes:
    if len(text) != length:
        raise PuzzleError(f"{place}: it has {len(text)} characters, expected {length}.")
    tokens = table[np.frombuffer(text.encode("latin-1"), np.uint8)]
    if not tokens.all():
        wrong = text[int(np.argmin(tokens))]
        raise PuzzleError(f"{place}: it holds {wrong!r}, which stands for no cell.")
    return tokens.tobytes()


def _write_split(
    writer: DatasetWriter,
    split: str,
    kind: PuzzleKind,
    puzzles: _Puzzles,
    augmentations: int,
    random: np.random.RandomState,
) -> int:
    groups = len(puzzles.questions)
    images = augmentations + 1
    rows = groups * images
    layout = SplitLayout(
        vocab_size=_KINDS[kind].vocab_size,
        seq_len=puzzles.questions.shape[1],
        identifiers=1,
        puzzle_identifiers=np.zeros(rows, np.int32),
        puzzle_starts=np.arange(rows + 1, dtype=np.int32),
        group_starts=np.arange(groups + 1, dtype=np.int32) * images,
        total_puzzles=groups,
        mean_puzzle_examples=1.0,
    )
    # The published builder writes augmented Sudokus in the type of its random permutations.
    dtype: type[np.integer] = np.uint8
    if kind == "sudoku" and augmentations:
        dtype = np.int64
    with writer.split(split, layout, dtype) as split_rows:
        for question, answer in zip(*puzzles, strict=True):
            pair = np.stack([question, answer])
            if kind == "sudoku":
                drawn = sudoku_images(pair, augmentations, random)
            else:
                drawn = maze_images(pair, augmentations)
            inputs = drawn[:, 0].astype(dtype)
            split_rows.write(inputs.tobytes(), drawn[:, 1].astype(dtype).tobytes())
    return rows
