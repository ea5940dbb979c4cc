"""Options of all commands: --verbose and --quiet."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.cli.commands import failed, run
from tests.toys import BASE, write_run
from trm_edge.cli.command import exit_code_list, is_quiet, is_verbose
from trm_edge.cli.main import COMMANDS

LEVEL = logging.getLogger("trm_edge").level


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_both_and_names_its_exit_codes(name: str) -> None:
    text = run(name, "--help").stdout
    for line in ("-v, --verbose", "-q, --quiet", "Exit codes:", "  2  "):
        assert line in text


def test_both_at_once_are_misuse() -> None:
    failed(run("doctor", "-v", "-q"), "Pass either --verbose or --quiet, not both.", code=2)
    assert run("doctor", "-v", "-v").exit_code == 0


def test_quiet_leaves_results_and_errors(
    toy_bundle: Path, toy_dataset: Path, tmp_path: Path
) -> None:
    run_folder = write_run(tmp_path / "run", BASE)
    output = tmp_path / "bundle"
    export = ("export", run_folder, "--fp32", "--dataset", toy_dataset, "-o", output, "-q")
    result = run(*export)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert "Wrote" in result.stdout
    assert "Next" not in result.stdout
    result = run(*export)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    baseline = tmp_path / "baseline.json"
    arguments = ("regress", toy_bundle, "--baseline", baseline, "--update", "--no-speed")
    assert "held-out puzzles cannot show" in run(*arguments).stderr
    quiet = run(*arguments, "--quiet")
    assert quiet.stderr == ""
    assert "exact_match.fixed" in quiet.stdout


def test_verbose_says_where_an_error_came_from(toy_bundle: Path, tmp_path: Path) -> None:
    failed(run("inspect", tmp_path), "is not a bundle")
    result = run("inspect", tmp_path, "--verbose")
    assert result.exit_code == 1
    assert "trm_edge.cli.main: the error came from:\nTraceback" in result.stderr
    assert "trm_edge.bundle: opened" in run("inspect", toy_bundle, "-v").stderr
    assert run("inspect", toy_bundle).stderr == ""
    log = run("solve", toy_bundle, "-", "-v", stdin="1 1 1 1 1 1 1 1 1\n").stderr
    assert "CPUExecutionProvider" in log


def test_the_level_is_set_back() -> None:
    for option in ("-v", "-q"):
        run("targets", option)
        assert logging.getLogger("trm_edge").level == LEVEL
    assert not is_quiet()
    assert not is_verbose()


SUBCOMMANDS = (("data", "arc"), ("data", "sudoku"), ("data", "maze"))


@pytest.mark.parametrize("name", [(), *((name,) for name in COMMANDS), *SUBCOMMANDS])
def test_help_fits_80_columns_and_names_what_options_take(
    name: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = run(*name, "--help").stdout
    is_example = False
    for line in text.splitlines():
        is_example = line.startswith(("  trm-edge ", "  echo ", "    | trm-edge "))
        assert is_example or len(line) <= 80, line
    assert "RANGE" not in text  # click's name for a type: it does not say what is counted


def test_exit_codes_are_wrapped_below_their_meaning() -> None:
    text = exit_code_list({"0": "done", "130": "word " * 20})
    assert text.splitlines()[:3] == ["\b", "Exit codes:", "  0    done"]
    assert text.splitlines()[3].startswith("  130  word word")
    assert text.splitlines()[4].startswith("       word")
