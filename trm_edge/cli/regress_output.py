"""Outputs of ``trm-edge regress`` for people and CI servers: all words are made here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from trm_edge.cli.console import stdout_console
from trm_edge.cli.tables import Column, DataTable, print_text
from trm_edge.cli.wrapping import with_units
from trm_edge.files import write_bytes
from trm_edge.printable import printable, shortened
from trm_edge.regression.check import Check, inconclusive, percent, points, regressed

_MARKS = {
    "ok": "",
    "better": "better",
    "regressed": "REGRESSED",
    "inconclusive": "INCONCLUSIVE",
    "not_compared": "not compared",
}
_COLOURS = {
    "regressed": "red",
    "better": "green",
    "inconclusive": "yellow",
    "not_compared": "yellow",
}
_SKIPPED = ("not_compared", "inconclusive")  # test cases that neither passed nor failed
COLUMNS = ("check", "before", "now", "change", "allowed", "")
_MORE_DIGITS = 4  # at most, to tell two figures apart


def summary(checks: Sequence[Check]) -> str:
    """Count what regressed and what is inconclusive, in a few words.

    Args:
        checks: of one comparison.
    """
    count = len(regressed(checks))
    words = f"{count} regressed" if count else "nothing regressed"
    undecided = ", ".join(check.id for check in inconclusive(checks))
    if undecided:
        words += f", inconclusive: {undecided}"
    return words


def update_summary(checks: Sequence[Check]) -> str:
    """Say what an update of the baseline accepts.

    Args:
        checks: the baseline before and after.
    """
    names = ", ".join(check.id for check in regressed(checks))
    if names:
        return f"worse by more than its budget, and the baseline from now on: {names}"
    return "nothing is worse by more than its budget"


def sentence(check: Check) -> str:
    """Format a check as a sentence for logs, JUnit and test failures.

    Args:
        check: the check.
    """
    reason = f". {check.reason}" if check.reason else ""
    if check.verdict == "not_compared":
        return one_line(f"{check.id}: not compared{reason}")
    before, current, change, allowed = figures(check)
    difference = f" ({change}, allowed {allowed})" if change else ""
    mark = " inconclusive," if check.verdict == "inconclusive" else ""
    return one_line(f"{check.id}:{mark} {before} before, {current} now{difference}{reason}")


def figures(check: Check) -> tuple[str, str, str, str]:
    """Format a check's numbers.

    Args:
        check: the check.

    Returns:
        The figure before, the figure now, the change and the budget; each may be empty.
    """
    before, now = _apart(check)
    return before, now, _change(check), _budget(check)


def make_table(checks: Sequence[Check], title: str) -> DataTable:
    """Build the table of all checks.

    Args:
        checks: of one comparison.
        title: stands above the table.
    """
    columns = [Column(name, align="left", wraps=True) for name in COLUMNS if name]
    table = DataTable(columns, title=f"{one_line(title)}\n")
    for check in checks:
        name, *numbers, mark = [one_line(cell) for cell in cells(check)]
        name = f"{name} {mark}".rstrip()  # the mark goes below a long name
        table.add(name, *map(with_units, numbers), style=_COLOURS.get(check.verdict))
    return table


def print_table(checks: Sequence[Check], title: str, *, wide: bool = False) -> None:
    """Print the table of all checks, and below it the reasons of those that are not ok.

    Args:
        checks: of one comparison.
        title: stands above the table.
        wide: print a line for each check, however long.
    """
    console = stdout_console()
    make_table(checks, title).print(console, wide=wide)
    console.print()
    for check in checks:
        if check.verdict != "ok" and check.reason:
            print_text(console, one_line(f"{check.id}: {check.reason}"), indent=2)


def write_junit(path: Path, checks: Sequence[Check], suite: str) -> None:
    """Write JUnit XML with one test case for each check, whole or not at all.

    Args:
        path: the XML file.
        checks: of one comparison.
        suite: name of the test suite, and class name of its cases.
    """
    suite = one_line(suite)
    skipped = [check for check in checks if check.verdict in _SKIPPED]
    root = ET.Element("testsuites")
    cases = ET.SubElement(
        root,
        "testsuite",
        name=suite,
        tests=str(len(checks)),
        failures=str(len(regressed(checks))),
        skipped=str(len(skipped)),
        errors="0",
    )
    for check in checks:
        case = ET.SubElement(cases, "testcase", classname=suite, name=one_line(check.id))
        message = sentence(check)
        if check.verdict == "regressed":
            ET.SubElement(case, "failure", message=message).text = message
        elif check.verdict == "not_compared":
            ET.SubElement(case, "skipped", message=one_line(check.reason or ""))
        elif check.verdict == "inconclusive":
            ET.SubElement(case, "skipped", message=message)
        else:
            ET.SubElement(case, "system-out").text = message
    ET.indent(root)
    write_bytes(path, ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")


def one_line(text: str) -> str:
    """Make a text with names from files one line, without what XML or a terminal forbids.

    Args:
        text: of any length; the middle of a long one is left out.
    """
    return printable(shortened(text))


def cells(check: Check) -> tuple[str, ...]:
    """Format a check as the cells of a table, one for each of ``COLUMNS``.

    Args:
        check: the check.
    """
    return (check.id, *figures(check), _MARKS[check.verdict])


def _apart(check: Check) -> tuple[str, str]:
    """Format the figures before and now, with more digits where rounding would make them equal."""
    for more_digits in range(_MORE_DIGITS):
        before = _figure(check, check.before, more_digits)
        now = _figure(check, check.now, more_digits)
        if before != now or check.before == check.now:
            break
    return before, now


def _figure(check: Check, value: float | None, more_digits: int = 0) -> str:
    """Format a figure with its unit."""
    if value is None:
        return ""
    if check.unit == "share":
        return f"{100 * value:.{1 + more_digits}f} %"
    if check.unit == "steps":
        return f"{value:.{2 + more_digits}f} steps"
    if check.unit == "cosine_distance":
        return f"{value:.{2 + more_digits}e}"
    if check.unit == "bytes":
        if value >= 10e6:
            return f"{value / 1e6:.{2 + more_digits}f} MB"
        return f"{value / 1e3:.{1 + more_digits}f} kB"
    if check.unit == "milliseconds":
        return f"{value:.{3 + more_digits}g} ms"
    if check.unit == "flag":
        return "yes" if value else "no"
    if check.unit == "limits":
        return f"{value:g} broken"
    if check.unit is not None and check.unit.startswith("times_"):
        workload = check.unit.removeprefix("times_").replace("_", " ")
        return f"{value:.{3 + more_digits}g} x {workload}"
    return f"{value:g}"


def _change(check: Check) -> str:
    """Format the change: percent, points of a share, or a count."""
    change = check.change
    if change is None:
        return ""
    if change.relative:
        return percent(change, check.budget)
    if check.unit == "flag":
        return "different" if change.value else ""
    if check.unit != "share":
        return f"{change.value:+g}" if change.value else ""
    return points(change, check.budget)


def _budget(check: Check) -> str:
    """Format the largest change for the worse that is allowed."""
    if check.budget is None:
        return "any" if check.unit == "flag" else ""
    if check.budget == 0:
        return "none"
    if check.unit == "share":
        return f"{100 * check.budget:+g} points"
    return f"{100 * check.budget:+g} %"
