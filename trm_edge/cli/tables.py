"""Everything that commands print in columns, in any width.

One policy holds for all commands. Nothing is cut: where the columns of a table do not fit side by
side, the table becomes a list with one figure a line. Words wrap at spaces, names and numbers do
not. A terminal has its own width; a pipe, a file and a CI log get 80 columns, or as many as the
environment variable ``COLUMNS`` says. With ``--wide``, a table has all its columns, and a line for
each row however long that is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from trm_edge.cli.wrapping import longest_line, longest_word, with_units, wrap
from trm_edge.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

_GAP = 2  # columns between two columns of a table
_INDENT = 2  # columns before the figures of a list


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        title: stands above it, and beside each of its figures in a list; wraps at spaces.
        align: where its cells stand.
        wraps: its cells are words, which wrap at spaces.
        wide: the column is left out unless all are asked for.
    """

    title: str
    align: Literal["left", "right"] = "right"
    wraps: bool = False
    wide: bool = False


class DataTable:
    """Rows of figures; the first column names the row.

    Args:
        columns: at least one.
        title: a line above the table.
    """

    def __init__(self, columns: Sequence[Column], title: str = "") -> None:
        self.columns = tuple(columns)
        self.title = title
        self.rows: list[tuple[str, ...]] = []
        self._styles: list[str | None] = []

    def add(self, *cells: str, style: str | None = None) -> None:
        """Add a row.

        Args:
            cells: one for each column; names from files need no escaping.
            style: of rich, for the whole row.
        """
        if len(cells) != len(self.columns):
            raise ValueError(f"a row must have {len(self.columns)} cells, but got {len(cells)}")
        self.rows.append(tuple(map(printable, cells)))
        self._styles.append(style)

    def print(self, console: Console, *, wide: bool = False) -> None:
        """Print the table with a row a line, or as a list where it does not fit.

        Args:
            console: on standard output, from :func:`trm_edge.cli.console.stdout_console`.
            wide: print every column, and let no cell wrap.
        """
        if self.title:
            print_text(console, self.title)
        shown = [index for index, column in enumerate(self.columns) if wide or not column.wide]
        widths = self._widths(shown, None if wide else console.width)
        if widths is None:
            self._print_list(console, shown)
        else:
            self._print_rows(console, shown, widths)

    def print_transposed(self, console: Console) -> None:
        """Print a line for each figure, with the rows side by side, all columns of the table.

        Rows that do not fit beside the others follow below; nothing becomes narrower.

        Args:
            console: on standard output, from :func:`trm_edge.cli.console.stdout_console`.
        """
        label = max(longest_line(column.title) for column in self.columns)
        start = 0
        while start < len(self.rows):
            end = start + 1
            while end < len(self.rows) and self._fits(console.width - label, start, end + 1):
                end += 1
            if start:
                console.print()
            self._transposed(start, end).print(console)
            start = end

    def _fits(self, width: int, start: int, end: int) -> bool:
        needed = sum(_GAP + _natural_width(row) for row in self.rows[start:end])
        return needed <= width

    def _transposed(self, start: int, end: int) -> DataTable:
        """A table with a row for each column of this one, and a column for each row."""
        rows = self.rows[start:end]
        columns = [Column(self.columns[0].title, align="left")]
        columns += [Column(row[0]) for row in rows]
        table = DataTable(columns)
        for index, column in enumerate(self.columns[1:], start=1):
            cells = [row[index] for row in rows]
            if any(cells):
                table.add(column.title, *cells)
        return table

    def _widths(self, shown: Sequence[int], width: int | None) -> list[int] | None:
        """Widths of the columns; None where the table does not fit."""
        least = []
        natural = []
        for index in shown:
            column = self.columns[index]
            cells = [row[index] for row in self.rows]
            narrow = longest_word if column.wraps else longest_line
            needed = max((narrow(cell) for cell in cells), default=0)
            wanted = max((longest_line(cell) for cell in cells), default=0)
            least.append(max(needed, longest_word(column.title)))
            natural.append(max(wanted, longest_line(column.title)))
        if width is None:
            return natural
        room = width - sum(least) - _GAP * (len(shown) - 1)
        if room < 0:
            return None
        return _share(least, natural, room)

    def _print_rows(self, console: Console, shown: Sequence[int], widths: Sequence[int]) -> None:
        columns = [self.columns[index] for index in shown]
        titles = [column.title for column in columns]
        for line in _cell_lines(columns, titles, widths):
            _print_line(console, line, style="bold")
        total = sum(widths) + _GAP * (len(widths) - 1)
        _print_line(console, _rule(console) * total)
        for row, style in zip(self.rows, self._styles, strict=True):
            cells = [row[index] for index in shown]
            for line in _cell_lines(columns, cells, widths):
                _print_line(console, line, style=style)

    def _print_list(self, console: Console, shown: Sequence[int]) -> None:
        for row, style in zip(self.rows, self._styles, strict=True):
            _print_line(console, row[shown[0]], style=style or "bold")
            figures = [(self.columns[index].title, row[index]) for index in shown[1:]]
            _print_pairs(console, [pair for pair in figures if pair[1]], indent=_INDENT)


def print_fields(console: Console, fields: Mapping[str, str]) -> None:
    """Print labelled texts, one below the other; long texts wrap behind their labels.

    Args:
        console: on standard output.
        fields: text by label, in order.
    """
    _print_pairs(console, list(fields.items()), style="bold")


def _print_pairs(
    console: Console,
    pairs: Sequence[tuple[str, str]],
    *,
    indent: int = 0,
    style: str | None = None,
) -> None:
    label_width = max((longest_line(label) for label, _ in pairs), default=0)
    column = indent + label_width + _GAP
    for label, text in pairs:
        shown = with_units(printable(text, lines=True))
        behind = column
        lines = wrap(shown, console.width - column)
        if longest_line(lines[0]) > console.width - column:  # a word that needs the whole line
            lines = ["", *wrap(shown, console.width)]
            behind = 0
        _print_line(console, " " * indent + label, style=style, end="")
        _print_line(console, " " * (label_width - longest_line(label) + _GAP) + lines[0])
        for line in lines[1:]:
            _print_line(console, " " * behind + line)


def print_text(console: Console, text: str, *, indent: int = 0, style: str | None = None) -> None:
    """Print sentences; they wrap at spaces.

    Args:
        console: on standard output.
        text: of one or more lines.
        indent: spaces before the second and later lines.
        style: of rich.
    """
    shown = with_units(printable(text, lines=True))
    for line in wrap(shown, console.width, indent=indent):
        _print_line(console, line, style=style)


def print_terms(console: Console, text: str) -> None:
    """Explain the words of a table, beneath it.

    Args:
        console: on standard output.
        text: a few sentences.
    """
    print_text(console, text, style="dim")


def _natural_width(row: Iterable[str]) -> int:
    return max(map(longest_line, row))


def _share(least: Sequence[int], natural: Sequence[int], room: int) -> list[int]:
    """Give the columns what they lack, one column of characters after the other."""
    widths = list(least)
    while room:
        lacks = [wanted - width for wanted, width in zip(natural, widths, strict=True)]
        largest = max(lacks)
        if largest <= 0:
            break
        widths[lacks.index(largest)] += 1
        room -= 1
    return widths


def _cell_lines(
    columns: Sequence[Column], cells: Sequence[str], widths: Sequence[int]
) -> list[str]:
    """Lay the cells of a row side by side; as many lines as the longest cell needs."""
    wrapped = []
    for cell, width in zip(cells, widths, strict=True):
        wrapped.append(wrap(cell, width))
    height = max(map(len, wrapped))
    lines = []
    for number in range(height):
        parts = []
        for column, width, cell_lines in zip(columns, widths, wrapped, strict=True):
            text = cell_lines[number] if number < len(cell_lines) else ""
            padding = " " * (width - longest_line(text))
            parts.append(text + padding if column.align == "left" else padding + text)
        lines.append((" " * _GAP).join(parts).rstrip())
    return lines


def _rule(console: Console) -> str:
    """The character of a horizontal line that the output's encoding has."""
    return "-" if console.options.ascii_only else "─"


def _print_line(console: Console, line: str, *, style: str | None = None, end: str = "\n") -> None:
    console.print(line, style=style, end=end, soft_wrap=True)
