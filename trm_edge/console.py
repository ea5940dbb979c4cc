"""Consoles for text with names from files, and the one console on standard error.

Bars and log lines share that console: rich then prints a line above the bars instead of through
them.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TextIO

from trm_edge.printable import printable

if TYPE_CHECKING:
    from rich.console import Console


def plain_console(**options: Any) -> Console:
    """Create a console that prints every string as it is: no markup, no emoji, no escapes.

    What is to be styled is passed as ``rich.text.Text`` or with ``style``.

    Args:
        options: of ``rich.console.Console``.
    """
    from rich.console import Console
    from rich.text import Text

    class PlainConsole(Console):
        def render_str(self, text: str, **arguments: Any) -> Text:
            arguments |= {"markup": False, "emoji": False, "highlight": False}
            return super().render_str(printable(text, lines=True), **arguments)

    return PlainConsole(highlight=False, **options)


def error_console() -> Console:
    """Return the console on standard error; the same one while standard error is the same."""
    # While bars are drawn, rich puts a stand-in before the stream.
    return _error_console(getattr(sys.stderr, "rich_proxied_file", sys.stderr))


@lru_cache(maxsize=1)
def _error_console(stream: TextIO | None) -> Console:
    if stream is None:  # closed
        return plain_console(stderr=True)
    return plain_console(file=stream)
