"""What ``trm-edge regress`` leaves for people, programs, CI servers and GitHub."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from xml.etree import ElementTree as ET

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from trm_edge.files import write_bytes
from trm_edge.regression.check import Check, regressed

_MARKS = {"ok": "", "better": "better", "regressed": "REGRESSED", "not compared": "not compared"}
_WIDTH = 140  # characters, of what no terminal shows
_COLUMNS = ("check", "before", "now", "change", "allowed", "")


def print_table(checks: Sequence[Check], title: str) -> None:
    # Where nobody's terminal sets a width, none of the table is cut.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for column in _COLUMNS:
        table.add_column(column)
    colours = {"regressed": "red", "better": "green", "not compared": "yellow"}
    for check in checks:
        table.add_row(*_cells(check), style=colours.get(check.verdict))
    console.print(table)
    for check in checks:
        if check.verdict != "ok" and check.why:
            console.print(f"{check.name}: {check.why}", soft_wrap=True)


def to_json(checks: Sequence[Check], about: Mapping[str, object]) -> str:
    found = [check.name for check in regressed(checks)]
    content = {**about, "regressed": found, "checks": [asdict(check) for check in checks]}
    return json.dumps(content, indent=2)


def write_junit(path: Path, checks: Sequence[Check], suite: str) -> None:
    """JUnit XML: a test case a check, whole or not at all."""
    failures = regressed(checks)
    skipped = [check for check in checks if check.verdict == "not compared"]
    counts = {"tests": len(checks), "failures": len(failures), "skipped": len(skipped), "errors": 0}
    root = ET.Element("testsuites")
    about = {"name": suite} | {name: str(count) for name, count in counts.items()}
    cases = ET.SubElement(root, "testsuite", about)
    for check in checks:
        case = ET.SubElement(cases, "testcase", classname=suite, name=check.name)
        if check.verdict == "regressed":
            ET.SubElement(case, "failure", message=check.line).text = check.line
        elif check.verdict == "not compared":
            ET.SubElement(case, "skipped", message=check.why)
        else:
            ET.SubElement(case, "system-out").text = check.line
    ET.indent(root)
    write_bytes(path, ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")


def to_markdown(checks: Sequence[Check], title: str) -> str:
    """For a job's summary."""
    found = regressed(checks)
    verdict = f"{len(found)} regressed" if found else "nothing regressed"
    lines = [f"### {title}: {verdict}\n", f"| {' | '.join(_COLUMNS)} |", "|---" * 6 + "|"]
    for check in checks:
        bold = "**" if check.verdict == "regressed" else ""
        cells = (f"{bold}{cell}{bold}" if cell else "" for cell in _cells(check))
        lines.append(f"| {' | '.join(cells)} |")
    notes = [f"- {check.name}: {check.why}" for check in checks if check.why]
    return "\n".join([*lines, "", *notes, ""])


def for_github(
    checks: Sequence[Check], title: str, environment: dict[str, str], say: Callable[[str], None]
) -> None:
    """The job's summary and annotations, where GitHub Actions runs this."""
    summary = environment.get("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(to_markdown(checks, title) + "\n")
    if environment.get("GITHUB_ACTIONS") != "true":
        return
    kinds = {"regressed": "error", "not compared": "warning", "better": "notice"}
    for check in checks:
        if check.verdict in kinds:
            say(f"::{kinds[check.verdict]} title={_escaped(title, True)}::{_escaped(check.line)}")


def _escaped(text: str, in_property: bool = False) -> str:
    """As GitHub's toolkit escapes the data and properties of a workflow command."""
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if in_property else text


def _cells(check: Check) -> tuple[str, ...]:
    return (
        check.name,
        check.then,
        check.now,
        check.change,
        check.budget,
        _MARKS[check.verdict],
    )
