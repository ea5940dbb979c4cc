"""Text from untrusted files, made safe to show: names in bundles, baselines and paths travel.

A terminal obeys escape sequences, GitHub Actions obeys lines that begin with ``::``, XML forbids
control characters. Everything that is printed passes through :func:`printable`.
"""

from __future__ import annotations

import re

EXCERPT_LENGTH = 160  # characters of a foreign value within a sentence
MAX_LENGTH = 4000  # characters of an error or a log line: about a screen

_LARGEST_SHOWN = 10**20
# What GitHub Actions takes for a command: "::error title=x::text" and the older "##[error]text".
_COMMAND = re.compile(r"::(?=[A-Za-z-]+(?: [^\n]*)?::)|##(?=\[)")


def printable(text: str, *, lines: bool = False) -> str:
    """Replace every character that a terminal does not show by its escape.

    Control characters, terminal escapes, unpaired surrogates and marks that change the direction
    of writing become what Python writes for them, such as ``\\x1b``. What GitHub Actions would
    take for a workflow command is broken up.

    Args:
        text: any text.
        lines: keep line breaks and tabs.

    >>> printable("a\\x1b[31mb\\n::error::c")
    'a\\\\x1b[31mb\\\\n:\\\\:error::c'
    """
    if not text.isprintable():
        text = "".join(_shown(character, lines=lines) for character in text)
    return _COMMAND.sub(_broken_up, text)


def excerpt(value: object, length: int = EXCERPT_LENGTH) -> str:
    """Show a foreign value within a sentence: on one line, escaped, cut at its end.

    Args:
        value: anything; shown by ``str``.
        length: characters of the result, at most.

    >>> excerpt("a\\nb" * 100, 12)
    'a\\\\nba\\\\nb...'
    """
    if isinstance(value, int) and abs(value) >= _LARGEST_SHOWN:
        return "a number of more than 20 digits"
    try:
        text = str(value)
    except ValueError:  # an integer within a list, of more digits than Python writes
        text = type(value).__name__
    text = printable(text[: 2 * length].strip())
    if len(text) > length:
        return f"{text[: length - 3]}..."
    return text


def shortened(text: str, length: int = MAX_LENGTH) -> str:
    """Cut the middle out of a text that is too long to be read.

    Args:
        text: any text.
        length: characters of the result, at most.
    """
    if len(text) <= length:
        return text
    note = f" ... ({len(text)} characters) ... "
    head = (length - len(note)) * 2 // 3
    tail = length - len(note) - head
    return f"{text[:head]}{note}{text[-tail:]}"


def _shown(character: str, *, lines: bool) -> str:
    if character.isprintable() or (lines and character in "\n\t"):
        return character
    if character == "\u00a0":  # a space that does not break a line
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def _broken_up(command: re.Match[str]) -> str:
    mark: str = command.group()[0]
    return f"{mark}\\{mark}"
