"""The command group: help, versions and misuse."""

from __future__ import annotations

import signal
import subprocess
import sys

import click
import pytest

from tests.cli.commands import failed, run
from trm_edge.cli.main import COMMANDS, cli, main, short_help
from trm_edge.errors import BackendError
from trm_edge.interrupts import Terminated


def command_of(name: str) -> click.Command:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return command


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert f"trm-edge {name}" in result.stdout


def test_group_help_lists_every_command() -> None:
    result = run("--help")
    assert result.exit_code == 0
    for name in COMMANDS:
        assert f"  {name} " in result.stdout


def test_version() -> None:
    assert run("--version").stdout.startswith("trm-edge, version 0.")


def test_unknown_command_is_misuse() -> None:
    failed(run("expot"), "No such command 'expot'. Did you mean export", code=2)
    failed(run("zzz"), "No such command 'zzz'. The commands are export, config, ", code=2)
    failed(run("solve", "--thread"), "Did you mean", "'--threads'", code=2)


def test_the_slogan() -> None:
    assert "Deploy trained Tiny Recursive Models." in run("--help").stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_the_short_help_is_the_command_s_own(name: str) -> None:
    text = command_of(name).help
    assert text is not None
    assert short_help(name) == text.partition("\n")[0]
    assert short_help(name).endswith(".")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_help(name: str) -> None:
    for parameter in command_of(name).params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.opts


def test_help_imports_no_command() -> None:
    script = (
        "import sys\nfrom trm_edge.cli.main import cli\n"
        "cli.main(['--help'], standalone_mode=False)\nprint(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    loaded = {name for name in done.stderr.split() if name.startswith("trm_edge.cli.")}
    assert loaded == {
        "trm_edge.cli.command",
        "trm_edge.cli.console",
        "trm_edge.cli.main",
        "trm_edge.cli.streams",
    }


def test_exit_codes_stand_in_the_help() -> None:
    text = run("--help").stdout
    for line in (
        "  1    failed",
        "  2    misused",
        "  3    regress: no verdict",
        "  130  interrupted",
    ):
        assert line in text
    assert "  3    no verdict: a missing or damaged baseline" in run("regress", "--help").stdout


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (Terminated(signal.SIGTERM), 143),
        (BackendError("failed"), 1),
        (click.UsageError("misused"), 2),
    ],
)
def test_exit_codes(
    error: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("trm_edge.cli.doctor.examine", fail)
    with pytest.raises(SystemExit) as caught:
        main(["doctor"])
    assert caught.value.code == code
    assert ("Aborted!" in capsys.readouterr().err) == (code > 2)


@pytest.mark.parametrize("detail", ["", "Unable to allocate 9 TiB"])
def test_too_little_memory_is_a_sentence(
    detail: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError(detail)

    monkeypatch.setattr(cli, "main", exhausted)
    with pytest.raises(SystemExit) as exit_:
        main(["doctor"])
    assert exit_.value.code == 1
    message = capsys.readouterr().err
    assert message.startswith("Error: not enough memory")
    assert detail in message
    assert "fewer slots (--batch)" in message
