"""What ``trm-edge regress`` tells GitHub Actions: the job's summary, and annotations."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from html import escape as html_escape
from pathlib import Path

import click

from trm_edge.cli.regress_output import COLUMNS, cells, one_line, sentence, summary
from trm_edge.files import error_reason
from trm_edge.regression.check import Check

logger = logging.getLogger(__name__)

_ANNOTATIONS = {
    "regressed": "error",
    "inconclusive": "warning",
    "not_compared": "warning",
    "better": "notice",
}
_MARKDOWN = re.compile(r"[\\`*\[\]|~!]|(?<![^\W_])_|_(?![^\W_])|^[#>+-]")


def add_to_job_summary(text: str) -> None:
    """Add to the job's summary where GitHub Actions runs this.

    Args:
        text: Markdown.
    """
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if not summary:
        return
    try:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        logger.warning("cannot write the job's summary %s: %s", summary, error_reason(error))


def annotate(annotations: Sequence[str], *, to_stderr: bool) -> None:
    """Print annotations where GitHub Actions runs this.

    Args:
        annotations: workflow commands, one a line.
        to_stderr: standard output holds JSON.
    """
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for annotation in annotations:
            click.echo(annotation, err=to_stderr)


def failure_markdown(title: str, message: str) -> str:
    """Format a failure without a verdict for a GitHub job's summary.

    Args:
        title: becomes the heading.
        message: of the error.
    """
    indented = "\n".join(f"    {line}" for line in message.splitlines())
    return f"### {title}\n\n{indented}\n"


def error_annotation(title: str, message: str) -> str:
    """Format GitHub's workflow command of an error.

    Args:
        title: of the annotation.
        message: of the error.
    """
    return f"::error title={_escape_property(title)}::{_escape(message)}"


def to_markdown(checks: Sequence[Check], title: str, outcome: str | None = None) -> str:
    """Format the checks for a GitHub job's summary.

    Args:
        checks: of one comparison.
        title: becomes the heading.
        outcome: a few words behind the title; by default what :func:`summary` counts.
    """
    separator = "|---" * len(COLUMNS) + "|"
    words = summary(checks) if outcome is None else outcome
    lines = [f"### {_markdown(title)}: {words}\n", f"| {' | '.join(COLUMNS)} |", separator]
    for check in checks:
        bold = "**" if check.verdict == "regressed" else ""
        columns = [f"{bold}{_markdown(cell)}{bold}" if cell else "" for cell in cells(check)]
        lines.append(f"| {' | '.join(columns)} |")
    lines.append("")
    for check in checks:
        if check.reason:
            lines.append(f"- {_markdown(check.id)}: {_markdown(check.reason)}")
    lines.append("")
    return "\n".join(lines)


def github_annotations(checks: Sequence[Check], title: str) -> list[str]:
    """Format GitHub workflow commands: an annotation for each check that is not simply ok.

    Args:
        checks: of one comparison.
        title: of every annotation.
    """
    annotations = []
    for check in checks:
        level = _ANNOTATIONS.get(check.verdict)
        if level is not None:
            message = _escape(sentence(check))
            annotations.append(f"::{level} title={_escape_property(one_line(title))}::{message}")
    return annotations


def _markdown(text: str) -> str:
    """Escape what GitHub's Markdown and its HTML would read as more than text."""
    return _MARKDOWN.sub(r"\\\g<0>", html_escape(one_line(text), quote=False))


def _escape(text: str) -> str:
    """Escape the data of a workflow command as GitHub's toolkit does."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
