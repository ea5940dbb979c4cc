"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import failed, run
from trm_edge.bundle import Bundle
from trm_edge.errors import ConfigError


@pytest.mark.parametrize("command", ["solve", "bench", "parity", "report"])
@pytest.mark.parametrize("threads", ["100000", "9" * 40])
def test_too_many_threads_are_misuse(command: str, threads: str, tmp_path: Path) -> None:
    # Nothing was loaded yet: the bundle that is named does not exist.
    result = run(command, tmp_path / "bundle", "--threads", threads)
    failed(result, "'--threads': threads must be a whole number from 0 to", code=2)


def test_threads_that_are_no_number(tmp_path: Path) -> None:
    failed(run("solve", tmp_path, "--threads", "-1"), "-1 is not in the range x>=0", code=2)
    failed(run("solve", tmp_path, "--threads", "two"), "'two' is not a valid integer", code=2)


def test_too_many_threads_in_python(toy_bundle: Path) -> None:
    with pytest.raises(ConfigError, match="threads must be a whole number from 0 to"):
        Bundle.open(toy_bundle).solver(threads=100_000)
