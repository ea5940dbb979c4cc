"""What GitHub Actions is told of regression checks: Markdown and annotations."""

from __future__ import annotations

from tests.cli.test_regress_output import CHECKS
from trm_edge.cli.github_actions import error_annotation, github_annotations, to_markdown


def test_markdown() -> None:
    lines = to_markdown(CHECKS, "toy").splitlines()
    assert lines[0] == "### toy: 1 regressed"
    assert "| **exact_match.fixed** | **98.2 %** |" in "\n".join(lines)
    assert "- speed: The baseline has times of no machine" in lines


def test_annotations_are_escaped() -> None:
    annotations = github_annotations(CHECKS, "toy: cpu, int8")
    assert [line.split(" ", 1)[0] for line in annotations] == ["::error", "::notice", "::warning"]
    assert annotations[0].startswith(
        "::error title=toy%3A cpu%2C int8::exact_match.fixed: 98.2 %25"
    )


def test_a_failure_is_one_command_whatever_its_message_holds() -> None:
    annotation = error_annotation("b: no verdict", "50 % of it\nis gone")
    assert annotation == "::error title=b%3A no verdict::50 %25 of it%0Ais gone"
