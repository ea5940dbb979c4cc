"""README and docs are checked against the program and its committed results."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from tests.markdown import PAGES, ROOT
from tests.toys import BASE
from trm_edge.cli.main import COMMANDS, cli
from trm_edge.step import step_inputs, step_outputs

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
# Options of other programs that the pages name.
FOREIGN_OPTIONS = {"--extra-index-url", "--interval", "--schemafile", "--junitxml", "--upgrade"}


def options_of(name: str) -> set[str]:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    options = {"--help"}
    commands = [command]
    if isinstance(command, click.Group):
        commands += command.commands.values()
    for each in commands:
        for parameter in each.params:
            options.update(parameter.opts)
            options.update(parameter.secondary_opts)
    return options


def known_options() -> set[str]:
    """Options of every command, of the pytest plugin, and of the scripts of this repository."""
    options = set(FOREIGN_OPTIONS)
    for name in COMMANDS:
        options |= options_of(name)
    scripts = [*ROOT.glob("benchmarks/**/*.py"), *ROOT.glob("tools/*.py")]
    for script in [ROOT / "trm_edge/pytest_plugin.py", *scripts]:
        options.update(OPTION.findall(script.read_text(encoding="utf-8")))
    return options


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_exist(page: Path) -> None:
    if page.name == "CHANGELOG.md":
        return  # it names what was renamed
    for line in page.read_text().splitlines():
        for name, rest in re.findall(r"trm-edge (\w+)([^`|#]*)", line):
            if name not in COMMANDS:
                continue
            unknown = set(OPTION.findall(rest)) - options_of(name)
            assert not unknown, f"{line}: {unknown}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_in_prose_exist(page: Path) -> None:
    if page.name == "CHANGELOG.md":
        return
    known = known_options()
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for span in re.findall(r"`(--[^`]+)`", prose):
        unknown = set(OPTION.findall(span)) - known
        assert not unknown, span


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_act_is_expanded(page: Path) -> None:
    text = page.read_text()
    if re.search(r"\bACT\b", text):
        assert "adaptive computation time" in text


def test_readme_links_are_absolute() -> None:
    """README is the package's page on an index, too, where relative links lead nowhere."""
    base = "https://github.com/trm-edge/trm-edge/blob/main/"
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text()):
        assert target.startswith("http"), target
        if target.startswith(base):
            assert (ROOT / target.removeprefix(base)).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_anchors_exist(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#]*)#([^)]+)\)", page.read_text()):
        if target.startswith("http"):
            continue
        linked = page.parent / target if target else page
        headings = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE)
        slugs = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}
        assert anchor in slugs, f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_in_prose_exist(page: Path) -> None:
    folders = "trm_edge|export|calibration|targets|tests|benchmarks|tools|docs"
    for path in re.findall(rf"`((?:{folders})/[a-z0-9_./-]*)`", page.read_text()):
        assert (ROOT / path).exists() or (page.parent / path).exists(), path


def test_readme_names_every_command() -> None:
    text = (ROOT / "README.md").read_text()
    for name in COMMANDS:
        assert f"`trm-edge {name}" in text


def test_contract_page_names_every_tensor() -> None:
    text = (ROOT / "docs" / "export.md").read_text()
    for spec in (*step_inputs(BASE), *step_outputs(BASE)):
        assert f"`{spec.name}`" in text


def test_error_tree_of_the_python_page_is_the_real_one() -> None:
    source = (ROOT / "trm_edge" / "errors.py").read_text()
    tree = source[source.index("TrmEdgeError\n") : source.index("\n\nUserWarning")]
    assert tree in (ROOT / "docs" / "python.md").read_text()


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for page in PAGES:
        for target in re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_install_lines_work_without_an_index() -> None:
    """The package is not on an index yet, so no page says so."""
    for page in PAGES:
        wrong = re.findall(r"pip install '?trm-edge\b.*", page.read_text())
        assert not wrong, f"{page.name}: {wrong}"


def test_ci_calls_what_the_contributors_page_says() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    for target in ("lint", "types", "test"):
        assert f"make {target}" in script


# --- accuracy ----------------------------------------------------------------------------------


def table_rows(text: str) -> list[list[str]]:
    """Cells of the rows of every Markdown table in a text."""
    rows = []
    for line in text.splitlines():
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def measured_accuracy(model: str) -> dict[str, list[str]]:
    """Accuracy of a bundled model in docs/quantization.md.

    Returns:
        By precision: exact match of ``fixed`` and ``adaptive`` mode, each followed by the flips
        ``lost / gained``.
    """
    text = (ROOT / "docs" / "quantization.md").read_text()
    table = re.search(rf"<!-- table {model} accuracy -->\n(.*?)<!-- end -->", text, re.DOTALL)
    assert table is not None
    return {row[0]: [row[1], row[3], row[4], row[6]] for row in table_rows(table[1])[2:]}


def readme_accuracy() -> dict[str, list[list[str]]]:
    """By model: README's rows of fixed and adaptive mode, float32 and INT8."""
    text = (ROOT / "README.md").read_text()
    section = text[text.index("<!-- results:") :]
    rows = table_rows(section[: section.index("\n\n", section.index("|"))])[2:]
    return {"sudoku": [row[2:] for row in rows[:2]], "maze": [row[2:] for row in rows[2:]]}


@pytest.mark.parametrize("model", ["sudoku", "maze"])
def test_readme_has_the_measured_accuracy(model: str) -> None:
    measured = measured_accuracy(model)
    float32 = measured["float32"]
    int8 = measured["INT8"]
    expected = [
        [float32[0], f"{int8[0]} ({int8[1]})"],
        [float32[2], f"{int8[2]} ({int8[3]})"],
    ]
    assert readme_accuracy()[model] == expected


@pytest.mark.parametrize("model", ["sudoku", "maze"])
def test_model_card_has_the_measured_accuracy(model: str) -> None:
    """The card's own run may differ by a puzzle or two, the last digit of a share."""
    fixed, _, adaptive, _ = measured_accuracy(model)["float32"]
    card = (ROOT / "trm_edge" / "reference" / model / "MODEL_CARD.md").read_text()
    row = next(row for row in table_rows(card) if row[0].startswith("all, "))
    assert abs(float(row[3]) - float(adaptive)) <= 0.11
    assert abs(float(row[5]) - float(fixed)) <= 0.11
