"""Pieces of HTML. What comes in is text and is escaped; what comes out is markup."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

_VOID = ("input",)  # elements that have no end


@dataclass(frozen=True)
class Markup:
    """HTML that is ready: everything else is text."""

    html: str

    def __str__(self) -> str:
        return self.html


Content = str | Markup


def markup(content: Content) -> str:
    """Text escaped, markup as it is."""
    return content.html if isinstance(content, Markup) else escape(content)


def joined(parts: Iterable[Content]) -> Markup:
    return Markup("\n".join(markup(part) for part in parts))


def element(tag: str, *content: Content, **attributes: str) -> Markup:
    """An element; ``class_`` is its class, and other names have - for _."""
    told = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for name, value in attributes.items()
    )
    if tag in _VOID:
        return Markup(f"<{tag}{told}>")
    return Markup(f"<{tag}{told}>{''.join(markup(part) for part in content)}</{tag}>")


def section(title: str, how: str, *content: Content) -> Markup:
    """A part of the page with the sentence that says how to read it."""
    return element("section", element("h2", title), element("p", how, class_="how"), *content)


def table(columns: Sequence[str], rows: Iterable[Sequence[Content]], **attributes: str) -> Markup:
    """Scrolls sideways by itself, so that the page does not; the first column stays in view."""
    head = element("tr", *(element("th", name, scope="col") for name in columns))
    body = (
        element("tr", element("th", row[0], scope="row"), *(element("td", one) for one in row[1:]))
        for row in rows
    )
    inner = element("table", element("thead", head), element("tbody", *body), **attributes)
    return element("div", inner, class_="wide", tabindex="0", role="region", aria_label="Table")


def figures_of(columns: Sequence[str], rows: Iterable[Sequence[Content]]) -> Markup:
    """What a chart draws, as a table that opens."""
    summary = element("summary", "The figures")
    return element("details", summary, table(columns, rows))


def embedded(data: Any) -> str:
    """JSON for a script element: no character of it can end the element or open another."""
    told = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        told = told.replace(character, f"\\u{ord(character):04x}")
    return told
