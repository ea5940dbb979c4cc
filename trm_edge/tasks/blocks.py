"""Many rows of text at once: their characters are looked up together, which is much faster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
BLOCK = 1024  # rows that are parsed or judged together
_NO_CELL = -1
_BYTES = 256


def in_blocks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Collect items in lists; the last one may be shorter.

    Args:
        items: of any number.
        size: items of a list.

    >>> list(in_blocks("abc", 2))
    [['a', 'b'], ['c']]
    """
    iterator = iter(items)
    while block := list(islice(iterator, size)):
        yield block


class CellTable:
    """The token ids of the characters that cells are written with.

    Args:
        ids: token id by character; those beyond ASCII are left to others.
    """

    def __init__(self, ids: Mapping[str, int]) -> None:
        self._table = np.full(_BYTES, _NO_CELL, np.int32)
        for character, token in ids.items():
            if character.isascii():
                self._table[ord(character)] = token

    def tokens(
        self, texts: Sequence[str | None], cells: int
    ) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Look up the cells of many texts.

        Args:
            texts: (n,) one character a cell; None where there is no text.
            cells: L, characters that a text must have.

        Returns:
            Token ids (n, L) int32, and whether a text is nothing but cells (n,) bool; the ids of
            the others mean nothing.
        """
        blank = b"\xff" * cells
        parts = []
        for text in texts:
            if text is not None and len(text) == cells and text.isascii():
                parts.append(text.encode("ascii"))
            else:
                parts.append(blank)
        codes = np.frombuffer(b"".join(parts), np.uint8).reshape(len(texts), cells)
        tokens = self._table[codes]
        return tokens, (tokens != _NO_CELL).all(1)


class CellText:
    """Writes token ids as text, one character a cell.

    Args:
        characters: by token id, of ASCII.
        other: stands for ids beyond them.
    """

    def __init__(self, characters: str, other: str = "?") -> None:
        self._codes = np.frombuffer(f"{characters}{other}".encode("ascii"), np.uint8)

    def text(self, tokens: NDArray[np.integer]) -> str:
        """Write cells as one line.

        Args:
            tokens: (n,) token ids, not negative.
        """
        ids = np.minimum(np.asarray(tokens), len(self._codes) - 1)
        return self._codes[ids].tobytes().decode("ascii")

    def texts(self, tokens: NDArray[np.integer]) -> list[str]:
        """Write many rows of cells, each as one line.

        Args:
            tokens: (n, L) token ids, not negative.
        """
        joined = self.text(tokens)
        length = tokens.shape[1]
        return [joined[start : start + length] for start in range(0, len(joined), length)]
