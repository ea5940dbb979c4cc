"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from tests.cli.commands import failed, run
from trm_edge.bundle import Bundle
from trm_edge.cli.options import options_checked
from trm_edge.errors import BundleError, ConfigError


@pytest.mark.parametrize("command", ["solve", "bench", "parity", "report"])
@pytest.mark.parametrize("threads", ["100000", "9" * 40])
def test_too_many_threads_are_misuse(command: str, threads: str, tmp_path: Path) -> None:
    # Nothing was loaded yet: the bundle that is named does not exist.
    result = run(command, tmp_path / "bundle", "--threads", threads)
    failed(result, "'--threads': threads must be a whole number from 0 to", code=2)


def test_threads_that_are_no_number(tmp_path: Path) -> None:
    failed(run("solve", tmp_path, "--threads", "-1"), "-1 is not in the range x>=0", code=2)
    failed(run("solve", tmp_path, "--threads", "two"), "'two' is not a valid integer", code=2)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e999"])
def test_numbers_that_are_not_finite_are_misuse(number: str, tmp_path: Path) -> None:
    for command, option in (
        ("solve", "--deadline-ms"),
        ("solve", "--answer-if"),
        ("serve", "--max-seconds"),
        ("export", "--max-drop"),
    ):
        result = run(command, tmp_path, f"{option}={number}")
        assert result.exit_code == 2, result.output
        assert "not a finite number" in result.output or "not in the range" in result.output


def test_a_refusal_of_options_is_misuse_and_others_are_not() -> None:
    with pytest.raises(click.UsageError, match="batch must be 1 or more"), options_checked():
        raise ConfigError("batch must be 1 or more")
    with pytest.raises(BundleError), options_checked():
        raise BundleError("there is no bundle")


def test_too_many_threads_in_python(toy_bundle: Path) -> None:
    with pytest.raises(ConfigError, match="threads must be a whole number from 0 to"):
        Bundle.open(toy_bundle).solver(threads=100_000)
