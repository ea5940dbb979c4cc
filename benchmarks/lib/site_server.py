"""A server of files on this machine that counts what it sends, for benchmarks and tests."""

from __future__ import annotations

import functools
import http.server
import io
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class SiteServer:
    """A running server.

    Args:
        url: of the site, with a slash at its end.
        sent_bytes: of all files so far, without headers.
        requests: paths that were asked for.
        changed: content by path, in place of what the site has.
    """

    url: str
    sent_bytes: int = 0
    requests: list[str] = field(default_factory=list)
    changed: dict[str, bytes] = field(default_factory=dict)


@contextmanager
def serve_site(folder: Path, headers: Mapping[str, str] | None = None) -> Iterator[SiteServer]:
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
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            super().end_headers()

        def do_GET(self) -> None:
            path = self.path.lstrip("/")
            site.requests.append(path)
            if path not in site.changed:
                super().do_GET()
                return
            self.send_response(200)
            self.end_headers()
            self.copyfile(io.BytesIO(site.changed[path]), self.wfile)

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
