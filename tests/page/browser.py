"""A site on a server of its own, in a headless Chromium that Playwright steers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.benchmarks.scripts import site_server
from tests.report.browser import find_browser

READY = "#solve:not([disabled])"
SOLVED = "#comparison table"
served = site_server().serve_site
SECONDS = 120  # that a busy machine may take for anything
# No machine has this name; the browser is told to look for it here. It has no HTTPS.
PLAIN_HOST = "phone.test"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    f"--host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1",
)


def require(condition: bool, reason: str) -> None:
    """Skip the test unless the condition holds; fail it where CI asks for a browser."""
    if condition:
        return
    if os.environ.get("CI") or os.environ.get("TRM_EDGE_REQUIRE_BROWSER"):
        pytest.fail(reason)
    pytest.skip(reason)


class Visitor:
    """A page that is open in the browser, and what went wrong on it.

    Args:
        page: Playwright's page.
        problems: errors and warnings on the console, exceptions, and requests that failed or left
            the site.
    """

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        self.url = url
        self.problems: list[str] = []
        page.set_default_timeout(1000 * SECONDS)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.problems.append(f"exception: {error}"))
        page.on("requestfailed", lambda request: self.problems.append(f"failed: {request.url}"))
        page.on("request", self._watch)

    def open(self) -> None:
        """Open the site and wait until it can solve."""
        self.page.goto(self.url)
        self.page.wait_for_selector(READY)

    def choose(self, example: str) -> None:
        """Choose an example by its label."""
        self.page.get_by_role("button", name=example, exact=True).click()

    def solve(self) -> str:
        """Solve the puzzle; returns the summary."""
        self.page.click("#solve")
        self.page.wait_for_selector(SOLVED)
        return str(self.page.inner_text("#summary"))

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.type}: {message.text}")

    def _watch(self, request: Any) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.problems.append(f"left the site: {request.url}")


Visit = Callable[..., Visitor]


@contextmanager
def started_browser() -> Iterator[Any]:
    """Start Chromium; skip the test where it or Playwright is missing."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        require(False, "needs Playwright: pip install playwright (make page-test)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(FLAGS))
        yield browser
        browser.close()
