"""A hub on this machine: answers what ``huggingface_hub`` asks for, as the real one does."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "owner/tiny"
GATED = "owner/gated"


@dataclass
class Hub:
    """Files of one repository, under the revisions main, v1 and the commit.

    Args:
        files: content by path in the repository.
        claimed: sizes that the hub claims in place of the true ones.
        downloads: every file that was downloaded, in order.
        url: address of the server.
    """

    files: Mapping[str, bytes]
    claimed: Mapping[str, int] = field(default_factory=dict)
    downloads: list[str] = field(default_factory=list)
    url: str = ""

    def info(self) -> dict[str, Any]:
        """The answer to a question about the repository."""
        siblings = []
        for name, content in self.files.items():
            siblings.append({"rfilename": name, "size": self.claimed.get(name, len(content))})
        return {"id": REPOSITORY, "sha": COMMIT, "siblings": siblings, "tags": []}


def files_of(folder: Path, prefix: str = "") -> dict[str, bytes]:
    """Read a folder as the files of a repository.

    Args:
        folder: of any depth.
        prefix: put in front of every path.
    """
    files = {}
    for path in folder.rglob("*"):
        if path.is_file():
            files[f"{prefix}{path.relative_to(folder).as_posix()}"] = path.read_bytes()
    return files


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve a hub on 127.0.0.1 while the block runs.

    Args:
        hub: its url is filled in.
    """

    class Handler(_Handler):
        pass

    Handler.hub = hub
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, *args: Any) -> None:
        """Print nothing."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        if path.startswith("api/models/"):
            self._repository(path.removeprefix("api/models/"))
        else:
            self._file(path, with_body=with_body)

    def _repository(self, path: str) -> None:
        repository, _, revision = path.partition("/revision/")
        if repository not in (REPOSITORY, GATED):
            self._error(401, "RepoNotFound")
        elif revision not in ("", "main", "v1", COMMIT):
            self._error(404, "RevisionNotFound")
        else:
            self._send(200, json.dumps(self.hub.info()).encode(), {})

    def _file(self, path: str, *, with_body: bool) -> None:
        repository, _, rest = path.partition("/resolve/")
        file = rest.partition("/")[2]
        if repository == GATED:
            self._error(403, "GatedRepo")
            return
        if file not in self.hub.files:
            self._error(404, "EntryNotFound")
            return
        content = self.hub.files[file]
        if with_body:
            self.hub.downloads.append(file)
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
        self._send(200, content, headers, with_body=with_body)

    def _error(self, status: int, code: str) -> None:
        self._send(status, b"", {"X-Error-Code": code, "X-Error-Message": code})

    def _send(
        self, status: int, content: bytes, headers: Mapping[str, str], *, with_body: bool = True
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_body:
            self.wfile.write(content)
