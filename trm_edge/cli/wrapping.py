"""Text in lines of a width: words move to the next line, and no word is ever cut."""

from __future__ import annotations

import re

from rich.cells import cell_len

# Joins what belongs on one line, such as a number and its unit; printed as a space.
JOINED = "\u00a0"
_INSIDE = re.compile(r"(?<=\d) (?=[^\d\s+-])|(?<=\bto) (?=[\d+-])")


def wrap(text: str, width: int, *, indent: int = 0) -> list[str]:
    """Break a text at its spaces and line breaks; a word that is wider gets a line of its own.

    Args:
        text: may have several lines; :data:`JOINED` is a space that does not break.
        width: columns of a line; characters of Asian scripts take two.
        indent: spaces before the second and later lines.

    >>> wrap("5\u00a0puzzles of sudoku-extreme", 12)
    ['5 puzzles of', 'sudoku-extreme']
    """
    lines: list[str] = []
    line = ""
    for paragraph in text.split("\n"):
        for word in filter(None, paragraph.split(" ")):  # str.split() would split at JOINED, too
            longer = f"{line} {word}" if line.strip() else line + word
            if line.strip() and cell_len(longer) > width:
                lines.append(line)
                longer = " " * indent + word
            line = longer
        lines.append(line)
        line = " " * indent
    return [line.replace(JOINED, " ") for line in lines]


def with_units(text: str) -> str:
    """Keep every number with its unit, and both ends of an interval, on one line.

    Args:
        text: any text.

    >>> wrap(with_units("95 % +0.1 to +0.2"), 4)
    ['95 %', '+0.1 to +0.2']
    """
    return _INSIDE.sub(JOINED, text)


def longest_word(text: str) -> int:
    """Return the columns of the widest word, the least width that a text can be wrapped to.

    Args:
        text: as :func:`wrap` takes it.

    >>> longest_word("5\u00a0puzzles of sudoku-extreme")
    14
    """
    return max(cell_len(word) for word in text.replace("\n", " ").split(" "))


def longest_line(text: str) -> int:
    """Return the columns of the widest line, as it is without wrapping.

    Args:
        text: as :func:`wrap` takes it.
    """
    return max(cell_len(line) for line in text.split("\n"))
