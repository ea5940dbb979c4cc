"""From a block of rows to puzzles: text is parsed and token ids are checked, many at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trm_edge.puzzle import Puzzle
from trm_edge.tasks.base import Task
from trm_edge.tasks.dataset import IGNORED, IGNORED_UPSTREAM
from trm_edge.tasks.entries import BadLine, Entry
from trm_edge.tasks.text_formats import RawRow

_MISSING = "there is no puzzle in this row"


def block_entries(task: Task, block: pa.Table) -> list[Entry | BadLine]:
    """Parse the puzzles of a block.

    Args:
        task: of the bundle.
        block: rows with the columns of ``ROW_SCHEMA``.

    Returns:
        As many entries, or what is wrong with a row; the lines count from 1 in the whole input.
    """
    lines = [row + 1 for row in block["row"].to_pylist()]
    entries: list[Entry | BadLine] = [BadLine(line, _MISSING) for line in lines]
    for place, error in enumerate(block["error"].to_pylist()):
        if error is not None:
            entries[place] = BadLine(lines[place], error)
    is_open = pc.is_null(block["error"]).to_numpy()
    has_text = pc.is_valid(block["puzzle"]).to_numpy() & is_open
    has_tokens = pc.is_valid(block["tokens"]).to_numpy() & is_open & ~has_text
    if has_text.any():
        _parse_texts(task, block, lines, np.flatnonzero(has_text), entries)
    if has_tokens.any():
        _check_tokens(task, block, lines, np.flatnonzero(has_tokens), entries)
    return entries


def _parse_texts(
    task: Task,
    block: pa.Table,
    lines: list[int],
    places: NDArray[np.int64],
    entries: list[Entry | BadLine],
) -> None:
    puzzles = block["puzzle"].to_pylist()
    answers = block["answer"].to_pylist()
    numbers = places.tolist()
    rows = [RawRow(lines[place], puzzles[place], answers[place] or None) for place in numbers]
    for place, entry in zip(numbers, task.read_rows(rows), strict=True):
        entries[place] = entry


def _check_tokens(
    task: Task,
    block: pa.Table,
    lines: list[int],
    places: NDArray[np.int64],
    entries: list[Entry | BadLine],
) -> None:
    config = task.config
    tokens = _tokens(block["tokens"], config.seq_len, config.vocab_size)
    labels = _tokens(block["labels"], config.seq_len, config.vocab_size, ignored=IGNORED_UPSTREAM)
    has_labels = pc.is_valid(block["labels"]).to_numpy()
    identifiers = pc.fill_null(block["identifier"], 0).to_pylist()
    for place in places.tolist():
        reason = tokens.problem(place)
        if reason is None and has_labels[place]:
            problem = labels.problem(place)
            reason = None if problem is None else f"answer: {problem}"
        if reason is None and not 0 <= identifiers[place] < config.num_puzzle_identifiers:
            reason = (
                f"identifier must lie in 0..{config.num_puzzle_identifiers - 1}, but got "
                f"{identifiers[place]}"
            )
        if reason is not None:
            entries[place] = BadLine(lines[place], reason)
            continue
        answer = labels.ids[place] if has_labels[place] else None
        entries[place] = Entry(Puzzle(tokens.ids[place], identifiers[place]), lines[place], answer)


class _Tokens(NamedTuple):
    """Token ids of rows.

    Args:
        ids: (n, L) int32; those of rows with a problem mean nothing.
        lengths: (n,) ids of each row.
        lowest: (n,) of each row.
        highest: (n,) of each row.
        vocab_size: V, token ids of the model.
    """

    ids: NDArray[np.int32]
    lengths: NDArray[np.int64]
    lowest: NDArray[np.int64]
    highest: NDArray[np.int64]
    vocab_size: int

    def problem(self, place: int) -> str | None:
        """Say why a row is not one of the model's; None: it is."""
        expected = self.ids.shape[1]
        if self.lengths[place] != expected:
            return f"expected {expected} token ids, but got {self.lengths[place]}"
        lowest = int(self.lowest[place])
        highest = int(self.highest[place])
        if lowest < 0 or highest >= self.vocab_size:
            return f"token ids must lie in 0..{self.vocab_size - 1}, but got {lowest}..{highest}"
        return None


def _tokens(
    column: pa.ChunkedArray, length: int, vocab_size: int, *, ignored: int = IGNORED
) -> _Tokens:
    """Lay lists of the right length out as a matrix, with 0 in the cells that are ignored."""
    count = len(column)
    lists = column.combine_chunks()
    lengths = pc.fill_null(pc.list_value_length(lists), -1).to_numpy(zero_copy_only=False)
    wide: NDArray[np.int64] = np.zeros((count, length), np.int64)
    fitting = lengths == length
    if fitting.any():
        chosen = lists.filter(pa.array(fitting))
        values = pc.fill_null(chosen.flatten(), -1)
        wide[fitting] = values.to_numpy(zero_copy_only=False).reshape(-1, length)
    wide[wide == ignored] = IGNORED
    return _Tokens(wide.astype(np.int32), lengths, wide.min(1), wide.max(1), vocab_size)
