"""A headless Chromium for one page, with nothing else switched on."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--allow-file-access-from-files",  # a page in a frame of a page
)
_SECONDS = 60
_CONSOLE = re.compile(r"CONSOLE[^\]]*\] (.*)")


def find_browser() -> str:
    """Its path. Without one the test is skipped; where CI says so, it fails."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        why = f"needs a browser: {', '.join(NAMES)} (apt-get install chromium)"
        if os.environ.get("CI") or os.environ.get("TRM_EDGE_REQUIRE_BROWSER"):
            pytest.fail(why)
        pytest.skip(why)
    return found


@dataclass(frozen=True)
class Opened:
    """A page after its scripts ran."""

    dom: str
    console: list[str]  # what the page wrote there, errors of the browser included
    told: dict[str, Any]  # what the script that was added to the page returned


def open_page(
    browser: str,
    page: Path,
    *,
    script: str = "return {}",
    width: int = 1280,
    dark: bool = False,
    calm: bool = False,
    picture: Path | None = None,
) -> Opened:
    """Open a copy of the page, with a script at its end, in a frame of that width.

    A frame, since no window is as narrow as a phone.

    Args:
        script: the body of an async function; what it returns comes back.
        calm: as for people who prefer reduced motion.
        picture: where a screenshot goes.
    """
    with tempfile.TemporaryDirectory() as folder:
        inner, outer = Path(folder) / "page.html", Path(folder) / "frame.html"
        probe = (
            "<script>(async () => { const told = await (async () => {"
            + script
            + "})(); parent.postMessage({told, dom: document.documentElement.outerHTML}, '*'); })()"
            ".catch((error) => console.error(String(error)));</script>"
        )
        html = page.read_text(encoding="utf-8")
        assert html.count("</body>") == 1
        inner.write_text(html.replace("</body>", f"{probe}</body>"), encoding="utf-8")
        outer.write_text(
            "<!doctype html><style>body{margin:0}iframe{display:block;border:0}</style>"
            f"<iframe src='page.html' style='width:{width}px;height:6000px'></iframe>"
            "<pre id='told'></pre><script>onmessage = (event) => {"
            "document.getElementById('told').textContent = JSON.stringify(event.data); }</script>",
            encoding="utf-8",
        )
        command = [
            browser,
            *FLAGS,
            f"--user-data-dir={folder}/profile",
            f"--window-size={max(width, 500)},6000",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            *(["--force-prefers-reduced-motion"] if calm else []),
            "--virtual-time-budget=15000",
            *([f"--screenshot={picture}"] if picture else []),
            "--dump-dom",
            outer.as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)
    told = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)
    assert told is not None
    assert told[1], f"the page's script did not end: {done.stderr[-2000:]}"
    message = json.loads(unescape(told[1]))
    return Opened(message["dom"], _CONSOLE.findall(done.stderr), message["told"])
