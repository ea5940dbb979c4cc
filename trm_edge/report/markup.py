"""Building blocks of HTML: plain text goes in and is escaped, markup comes out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from trm_edge.printable import printable

_VOID = ("input",)  # elements without an end tag


@dataclass(frozen=True)
class Markup:
    """HTML that is safe to insert as it is; every plain string is text and gets escaped.

    Args:
        html: the markup.
    """

    html: str

    def __str__(self) -> str:
        return self.html


Content = str | Markup


def to_html(content: Content) -> str:
    """Escape text; pass markup through.

    Args:
        content: text or markup.
    """
    if isinstance(content, Markup):
        return content.html
    return _escaped(content)


def join(parts: Iterable[Content]) -> Markup:
    """Put pieces one below the other.

    Args:
        parts: texts and markup, in order.
    """
    return Markup("\n".join(map(to_html, parts)))


def element(tag: str, *content: Content, **attributes: str) -> Markup:
    """Build an element.

    Args:
        tag: name of the element.
        content: texts and markup inside it.
        attributes: by name, with ``_`` for ``-``; a trailing ``_`` is dropped (``class_``).
    """
    start = tag
    for name, value in attributes.items():
        attribute = name.rstrip("_").replace("_", "-")
        start += f' {attribute}="{_escaped(value)}"'
    if tag in _VOID:
        return Markup(f"<{start}>")
    inner = "".join(map(to_html, content))
    return Markup(f"<{start}>{inner}</{tag}>")


def section(title: str, description: str, *content: Content) -> Markup:
    """Build a section of the page.

    Args:
        title: the heading.
        description: the sentence below it that says how to read the section.
        content: what follows.
    """
    heading = element("h2", title)
    lead = element("p", description, class_="lead")
    return element("section", heading, lead, *content)


def table(columns: Sequence[str], rows: Iterable[Sequence[Content]], **attributes: str) -> Markup:
    """Build a table that scrolls sideways on its own; the first column stays in view.

    Args:
        columns: the headings.
        rows: cells of each row, the first of which is the row's heading.
        attributes: of the table element; see :func:`element`.
    """
    headings = [element("th", name, scope="col") for name in columns]
    body = []
    for row in rows:
        cells = [element("td", cell) for cell in row[1:]]
        body.append(element("tr", element("th", row[0], scope="row"), *cells))
    head = element("thead", element("tr", *headings))
    inner = element("table", head, element("tbody", *body), **attributes)
    return element("div", inner, class_="wide", tabindex="0", role="region", aria_label="Table")


def chart_data(columns: Sequence[str], rows: Iterable[Sequence[Content]]) -> Markup:
    """Build a collapsed table with the figures that a chart shows.

    Args:
        columns: the headings.
        rows: cells of each row, the first of which is the row's heading.
    """
    return element("details", element("summary", "Chart data"), table(columns, rows))


def script_json(data: Any) -> str:
    """Encode JSON for a script element; no character in it can end the element or open another.

    Args:
        data: anything that JSON has a form for; NaN and infinity are refused.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _escaped(text: str) -> str:
    """Escape HTML, and what is not a character of a page."""
    return escape(printable(text, lines=True))
