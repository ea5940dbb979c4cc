"""The library's log on standard error, for as long as a command runs."""

from __future__ import annotations

import logging

import pytest

from trm_edge.cli.console import logs_on_stderr

LOGGER = logging.getLogger("trm_edge.some.module")


def test_info_and_warnings_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with logs_on_stderr():
        LOGGER.info("[bold]%d[/bold] puzzles", 3)
        LOGGER.debug("details")
        LOGGER.warning("few puzzles")
    output = capsys.readouterr()
    assert output.err == "[bold]3[/bold] puzzles\nWarning: few puzzles\n"
    assert output.out == ""


def test_nothing_is_shown_before_and_after(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger("trm_edge")
    handlers = list(root.handlers)
    level = root.level
    with pytest.raises(RuntimeError), logs_on_stderr():
        raise RuntimeError
    assert root.handlers == handlers
    assert root.level == level
    LOGGER.info("afterwards")
    assert capsys.readouterr().err == ""
