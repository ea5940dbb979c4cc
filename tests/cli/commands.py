"""Run the command line in this process."""

from __future__ import annotations

from click.testing import CliRunner, Result

from tests.toys import BASE
from trm_edge.cli.main import cli

LINE = " ".join("1" for _ in range(BASE.seq_len))


def run(*arguments: object, stdin: str | None = None) -> Result:
    """The result of ``trm-edge ARGUMENTS``."""
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], input=stdin)


def failed(result: Result, *texts: str, code: int = 1) -> None:
    """Hold a result to an exit code, to parts of its message, and to having no traceback."""
    assert result.exit_code == code, result.output
    for text in texts:
        assert text in result.output
    assert "Traceback" not in result.output
