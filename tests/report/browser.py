"""Open one page in a headless Chromium that makes no requests of its own."""

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
    """Return the browser's path; without one the test is skipped, or fails where CI asks for it."""
    for name in NAMES:
        path = shutil.which(name)
        if path is not None:
            return path
    reason = f"needs a browser: {', '.join(NAMES)} (apt-get install chromium)"
    if os.environ.get("CI") or os.environ.get("TRM_EDGE_REQUIRE_BROWSER"):
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass(frozen=True)
class OpenedPage:
    """A page after its scripts ran.

    Args:
        dom: HTML of the document.
        console: messages on the console, including errors of the browser.
        result: return value of the script that was added to the page.
    """

    dom: str
    console: list[str]
    result: dict[str, Any]


def open_page(
    browser: str,
    page: Path,
    *,
    script: str = "return {}",
    width: int = 1280,
    dark: bool = False,
    reduced_motion: bool = False,
    picture: Path | None = None,
) -> OpenedPage:
    """Open a copy of the page, with a script at its end, in a frame of the given width.

    A frame, because no window is as narrow as a phone.

    Args:
        browser: path of the browser.
        page: the HTML file.
        script: body of an async function, whose return value is the result.
        width: of the frame, in pixels.
        dark: open it for people who prefer dark colours.
        reduced_motion: open it for people who prefer reduced motion.
        picture: file for a screenshot.
    """
    with tempfile.TemporaryDirectory() as folder:
        inner = Path(folder) / "page.html"
        outer = Path(folder) / "frame.html"
        probe = (
            "<script type='module'>(async () => { const result = await (async () => {"
            + script
            + "})(); const dom = document.documentElement.outerHTML;"
            "parent.postMessage({result, dom}, '*'); })()"
            ".catch((error) => console.error(String(error)));</script>"
        )
        html = page.read_text(encoding="utf-8")
        assert html.count("</body>") == 1
        inner.write_text(html.replace("</body>", f"{probe}</body>"), encoding="utf-8")
        outer.write_text(
            "<!doctype html><style>body{margin:0}iframe{display:block;border:0}</style>"
            f"<iframe src='page.html' style='width:{width}px;height:6000px'></iframe>"
            "<pre id='result'></pre><script>onmessage = (event) => {"
            "const text = JSON.stringify(event.data);"
            "document.getElementById('result').textContent = text; }</script>",
            encoding="utf-8",
        )
        motion = ["--force-prefers-reduced-motion"] if reduced_motion else []
        screenshot = [f"--screenshot={picture}"] if picture else []
        command = [
            browser,
            *FLAGS,
            f"--user-data-dir={folder}/profile",
            f"--window-size={max(width, 500)},6000",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            *motion,
            "--virtual-time-budget=15000",
            *screenshot,
            "--dump-dom",
            outer.as_uri(),
        ]
        process = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, check=True
        )
    output = re.search(r'<pre id="result">(.*?)</pre>', process.stdout, re.DOTALL)
    assert output is not None
    assert output[1], f"the page's script did not end: {process.stderr[-2000:]}"
    message = json.loads(unescape(output[1]))
    return OpenedPage(message["dom"], _CONSOLE.findall(process.stderr), message["result"])
