"""A server of files on this machine that counts what it sends."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class SiteServer:
    """A running server.

    Args:
        url: of the site.
        sent_bytes: of all files so far, without headers.
    """

    url: str
    sent_bytes: int = 0


@contextmanager
def serve_site(folder: Path, headers: Mapping[str, str]) -> Iterator[SiteServer]:
    """Serve a folder to this machine alone until the block ends.

    Args:
        folder: the site.
        headers: that are sent with every file.
    """
    site = SiteServer("")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

        def end_headers(self) -> None:
            for name, value in headers.items():
                self.send_header(name, value)
            super().end_headers()

        def copyfile(self, source: Any, outputfile: Any) -> None:
            content = source.read()
            site.sent_bytes += len(content)
            outputfile.write(content)

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        site.url = f"http://127.0.0.1:{server.server_address[1]}/"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()
