"""Names from files cannot steer a terminal, GitHub Actions, XML or a page."""

from __future__ import annotations

import logging
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.table import Table

from trm_edge.cli.console import logs_on_stderr, stdout_console
from trm_edge.cli.github_actions import github_annotations, to_markdown
from trm_edge.cli.regress_output import print_table, write_junit
from trm_edge.errors import TrmEdgeError
from trm_edge.printable import excerpt, printable, shortened
from trm_edge.records import Format, encode
from trm_edge.regression.check import Check
from trm_edge.report.markup import element

HOSTILE = (
    "[/bold][link=https://evil.example]x[/link]\x1b]0;owned\x07\x9b31m\x01\r::warning::owned\n"
    "::error title=owned::owned\n# owned\n<img src=x>|a|`b`\ud800\u202e\ufffe"
)
CHECK = Check(id=f"size.{HOSTILE}", verdict="regressed", reason=HOSTILE)


def is_harmless(text: str) -> bool:
    """Nothing that a terminal obeys, and no line that is a command."""
    commands = ("::error title=owned", "::warning::owned", "##[")
    lines = text.replace("\r", "\n").splitlines()
    if any(line.strip().startswith(commands) for line in lines):
        return False
    return text.replace("\n", "").isprintable()


def test_what_is_escaped() -> None:
    assert printable("plain text, é, 数, a::b") == "plain text, é, 数, a::b"
    assert printable("a\tb\n") == "a\\tb\\n"
    assert printable("a\tb\n", lines=True) == "a\tb\n"
    assert printable("\x1b\x9b\u202e") == "\\x1b\\x9b\\u202e"
    assert printable("::error x::y ##[error]") == ":\\:error x::y #\\#[error]"
    assert is_harmless(printable(HOSTILE))
    assert is_harmless(printable(HOSTILE, lines=True))
    printable(HOSTILE).encode("utf-8")


def test_long_texts_are_cut_in_the_middle() -> None:
    text = shortened("a" * 5000 + "the end")
    assert len(text) == 4000
    assert text.endswith("the end")
    assert "(5007 characters)" in text
    assert len(str(TrmEdgeError("x" * 100_000))) == 4000


def test_excerpts_are_short_and_harmless() -> None:
    assert excerpt("a\nb") == "a\\nb"
    assert excerpt("x" * 500, 10) == "xxxxxxx..."
    assert excerpt(10**30) == excerpt(-(10**5000)) == "a number of more than 20 digits"
    assert excerpt([10**5000]) == "list"
    assert len(excerpt(HOSTILE, 60)) <= 60
    assert is_harmless(excerpt(HOSTILE, 1000))


def test_errors_and_json() -> None:
    assert is_harmless(str(TrmEdgeError(HOSTILE)))
    assert is_harmless(encode({"name": HOSTILE}, Format("a", 1)))


def test_tables_and_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table()
    table.add_column("[bold]name")
    table.add_row(HOSTILE)
    console = stdout_console()
    console.print(table)
    console.print(HOSTILE, soft_wrap=True)
    with logs_on_stderr():
        logging.getLogger("trm_edge.test").warning("%s", HOSTILE)
    output = capsys.readouterr()
    for text in (output.out, output.err):
        assert is_harmless(text)
        assert "[/bold][link=https://evil.example]x[/link]" in text
    assert "[bold]name" in output.out


def test_a_regression_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_table([CHECK], HOSTILE)
    assert is_harmless(capsys.readouterr().out)
    write_junit(tmp_path / "junit.xml", [CHECK], HOSTILE)
    case = next(ET.parse(tmp_path / "junit.xml").iter("testcase"))
    assert "[/bold]" in case.attrib["name"]
    markdown = to_markdown([CHECK], HOSTILE)
    assert is_harmless(markdown)
    heading, _, _, row, *_ = [line for line in markdown.splitlines() if line]
    assert heading.startswith("### ")
    assert "&lt;img" in heading
    assert row.replace("\\|", "").count("|") == 7
    assert "<img" not in markdown
    assert "\n# owned" not in markdown
    (annotation,) = github_annotations([CHECK], HOSTILE)
    assert annotation.startswith("::error title=")
    assert "\n" not in annotation
    assert "::" not in annotation[2:].partition("::")[0]


def test_a_page() -> None:
    html = str(element("p", HOSTILE, title=HOSTILE))
    html.encode("utf-8")
    assert "<img" not in html
    assert "\x1b" not in html
