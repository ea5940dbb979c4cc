"""Progress passes items on unchanged, and shows bars, lines or nothing, as suits the place."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from tests.logs import logged
from trm_edge.cli.console import logs_on_stderr
from trm_edge.progress import Metered, Track, duration, progress_bars, silent


class Terminal(io.StringIO):
    """A terminal that keeps what was written to it."""

    def isatty(self) -> bool:
        return True


def waits_for(condition: Callable[[], bool]) -> None:
    """Wait until another thread made the condition true."""
    for _ in range(3000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("nothing happened within 30 seconds")


def test_silent_passes_the_items_themselves() -> None:
    items = [1, 2, 3]
    assert silent(items, "working", 3) is items


def test_bars_pass_the_items_in_order_and_print_nothing_to_a_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress_bars() as track:
        progress: Track = track
        assert list(progress([1, 2, 3], "working")) == [1, 2, 3]
        assert list(progress(iter("ab"), description="working", total=2)) == ["a", "b"]
        assert list(progress(Metered([4, 5], "puzzles"), "working")) == [4, 5]
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == ""


def test_long_work_writes_lines_to_the_log() -> None:
    with logged() as lines, progress_bars(log_seconds=0.01) as track:

        def items() -> Iterator[int]:
            yield 1
            waits_for(lambda: any("solved 1 of 1,200 puzzles" in line for line in lines))
            yield 2

        assert list(track(Metered(items(), "puzzles"), "solved", 1200)) == [1, 2]
        waits_for(lambda: "working, 0 s so far" in lines[-1])
        count = len(lines)
    line = next(line for line in lines if "solved 1 of" in line)
    assert line.startswith("info: solved 1 of 1,200 puzzles, ")
    assert line.endswith(" left")
    assert len(lines) <= count + 1  # nothing after the end


def test_lines_about_work_of_unknown_length_and_with_a_longer_name() -> None:
    with logged() as lines, progress_bars(log_seconds=0.01) as track:

        def items() -> Iterator[int]:
            waits_for(lambda: any("cpu, int8: 0, 0 s so far" in line for line in lines))
            yield 1

        assert list(track(items(), "cpu, int8")) == [1]


def test_progress_between_items_shows() -> None:
    """A batch is solved all at once; what its steps are worth counts before."""
    worth = 0.0

    def items() -> Iterator[int]:
        nonlocal worth
        worth = 7.9
        waits_for(lambda: any("solved 7 of 32 puzzles" in line for line in lines))
        worth = 99.0
        waits_for(lambda: any("solved 32 of 32 puzzles, 0 s left" in line for line in lines))
        yield from range(32)

    with logged() as lines, progress_bars(log_seconds=0.01) as track:
        assert len(list(track(Metered(items(), "puzzles", lambda: worth), "solved", 32))) == 32


def test_work_that_is_not_measured_in_items_counts_what_it_says_alone() -> None:
    """More steps than seconds, after a run that was 600 seconds long already."""
    worth = 600.0

    def items() -> Iterator[int]:
        nonlocal worth
        yield from range(50)
        worth = 610.0
        waits_for(lambda: any("adapting 610 of 620 seconds, 0 s left" in line for line in lines))

    with logged() as lines, progress_bars(log_seconds=0.01) as track:
        metered = Metered(items(), "seconds", lambda: worth, counts_items=False)
        assert len(list(track(metered, "adapting", 620))) == 50


def test_an_estimated_total_is_called_one() -> None:
    """It is asked again, and may be lower than what is done."""
    total: float | None = None

    def items() -> Iterator[int]:
        nonlocal total
        yield 1
        waits_for(lambda: any("solved 1 puzzles, 0 s so far" in line for line in lines))
        total = 1234.4
        waits_for(lambda: any("solved 1 of about 1,234 puzzles, " in line for line in lines))
        total = 0.5
        waits_for(lambda: any("solved 1 of about 1 puzzles, 0 s left" in line for line in lines))

    with logged() as lines, progress_bars(log_seconds=0.01) as track:
        metered = Metered(items(), "puzzles", estimate=lambda: total)
        assert list(track(metered, "solved")) == [1]


def test_a_known_total_is_not_estimated() -> None:
    def items() -> Iterator[int]:
        yield 1
        waits_for(lambda: any("solved 1 of 2 puzzles, " in line for line in lines))

    with logged() as lines, progress_bars(log_seconds=0.01) as track:
        metered = Metered(items(), "puzzles", estimate=lambda: 99.0)
        assert list(track(metered, "solved", 2)) == [1]


def test_a_bar_shows_an_estimated_total(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    total: float | None = None

    def items() -> Iterator[int]:
        nonlocal total
        yield 1
        waits_for(lambda: "1/?" in terminal.getvalue())
        total = 1234.4
        waits_for(lambda: "1/~1,234" in terminal.getvalue())

    with progress_bars() as track:
        assert list(track(Metered(items(), "puzzles", estimate=lambda: total), "solved")) == [1]


def test_a_terminal_gets_bars_that_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    logger = logging.getLogger("trm_edge.some.module")

    def items() -> Iterator[int]:
        yield 1
        waits_for(lambda: "1/3" in terminal.getvalue())
        logger.info("a line of the log")
        yield 2

    with logs_on_stderr(), progress_bars() as track:
        assert list(track(items(), "checking", 3)) == [1, 2]
    text = terminal.getvalue()
    assert text.count("a line of the log") == 1
    before, _, after = text.partition("a line of the log\n")
    assert before.endswith("\x1b[2K")  # the bar was erased, then the line was written
    assert "checking" in before
    last_bar = after.rpartition("checking")[2]
    assert "\x1b[2K" in last_bar  # the bar is erased, too


def test_a_notebook_gets_its_own_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jupyter and ipywidgets are played by stand-ins."""
    shown: list[object] = []

    class Output:
        def __enter__(self) -> Output:
            return self

        def __exit__(self, *details: object) -> None:
            pass

        def clear_output(self, wait: bool = False) -> None:
            pass

        def close(self) -> None:
            shown.append("closed")

    ipython = ModuleType("IPython")
    display = ModuleType("IPython.display")
    widgets = ModuleType("ipywidgets")
    monkeypatch.setattr(display, "display", shown.append, raising=False)
    monkeypatch.setattr(widgets, "Output", Output, raising=False)
    for module in (ipython, display, widgets):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr("trm_edge.progress.find_spec", lambda name: object())
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("rich.jupyter.display", lambda segments, text: shown.append(text))
    monkeypatch.setattr(sys, "stderr", io.StringIO())  # so that a new console looks around

    def items() -> Iterator[int]:
        yield 1
        waits_for(lambda: any("1/2" in str(text) for text in shown))
        yield 2

    with progress_bars() as track:
        assert list(track(items(), "checking", 2)) == [1, 2]
    assert isinstance(shown[0], Output)
    assert "closed" in shown


def test_a_notebook_without_widgets_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trm_edge.progress.find_spec", lambda name: None)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with logged() as lines, progress_bars(log_seconds=0.01):
        waits_for(lambda: len(lines) > 0)


def test_a_quiet_log_means_no_progress() -> None:
    logger = logging.getLogger("trm_edge")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with progress_bars() as track:
            assert track is silent
    finally:
        logger.setLevel(level)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (59.5, "1 min"), (3570, "1 h 0 min"), (90_000, "25 h 0 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_rate_is_shown_where_it_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="trm_edge")

    def items() -> Iterator[int]:
        yield from range(3)
        waits_for(lambda: "a second" in caplog.text)

    with progress_bars(log_seconds=0.02) as track:
        list(track(Metered(items(), "answers", shows_rate=True), "solved", 10))
        assert "solved 3 of 10 answers, " in caplog.text
        caplog.clear()
        for _ in track(Metered(iter([1, 2]), "answers"), "solved", 10):
            waits_for(lambda: "of 10 answers" in caplog.text)
    assert "a second" not in caplog.text
