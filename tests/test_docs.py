"""The documentation is checked against the program."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from tests.toys import BASE
from trm_edge.cli.main import COMMANDS, cli
from trm_edge.step import step_inputs, step_outputs

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("trm_edge/**/*.md")])
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")


def options_of(name: str) -> set[str]:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return {text for parameter in command.params for text in parameter.opts} | {"--help"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_exist(page: Path) -> None:
    for line in page.read_text().splitlines():
        for name, rest in re.findall(r"trm-edge (\w+)([^`|#]*)", line):
            if line.startswith("`build`") or name not in COMMANDS:
                continue
            unknown = set(OPTION.findall(rest)) - options_of(name)
            assert not unknown, f"{line}: {unknown}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_readme_names_every_command() -> None:
    text = (ROOT / "README.md").read_text()
    for name in COMMANDS:
        assert f"`trm-edge {name}" in text


def test_contract_page_names_every_tensor() -> None:
    text = (ROOT / "docs" / "export.md").read_text()
    for spec in (*step_inputs(BASE), *step_outputs(BASE)):
        assert f"`{spec.name}`" in text


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for page in PAGES:
        for target in re.findall(r"^make ([a-z-]+)", page.read_text(), re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_ci_calls_what_the_readme_says() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    for target in ("lint", "types", "test"):
        assert f"make {target}" in script
