"""Workflows, the action and the templates, held against GitHub's schemas and what is here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.test_docs import options_of
from trm_edge import records
from trm_edge.backends.environment import Environment
from trm_edge.cli.main import COMMANDS
from trm_edge.doctor import FORMAT as DOCTOR
from trm_edge.doctor import examine
from trm_edge.engines.driver import DriverState
from trm_edge.regression.budgets import Budgets

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
OWN = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TEMPLATES = sorted((ROOT / "docs" / "templates").glob("*.yml"))
WORKFLOWS = [*OWN, *TEMPLATES]
ACTION = ROOT / ".github" / "actions" / "regress" / "action.yml"
BUDGETS = ROOT / "docs" / "templates" / "trm-edge.toml"
PAGE = ROOT / "docs" / "ci.md"

NO_GPU = DriverState(problem="no NVIDIA driver: libcuda.so.1 was not found")

EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
COMMAND = re.compile(r"trm-edge ([a-z]+)([^`|;&#\n]*)")
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z0-9-]*")
PINNED = re.compile(r"actions/[\w-]+(/[\w-]+)?@v\d+|trm-edge/trm-edge/\.github/actions/\w+@v\d+")
# GitHub's own actions and this repository's may be named by a version; all others by a hash.
POLICIES = """
rules:
  unpinned-uses:
    config:
      policies:
        "actions/*": ref-pin
        "trm-edge/trm-edge/*": ref-pin
"""


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content


def steps(path: Path) -> Iterator[dict[str, Any]]:
    content = load(path)
    for job in content.get("jobs", {"action": content.get("runs")}).values():
        yield from job["steps"]


def scripts(path: Path) -> list[str]:
    """What every `run:` hands to the shell, a command a line, without comments."""
    found = [step["run"].replace("\\\n", " ") for step in steps(path) if "run" in step]
    return [re.sub(r"^ *#.*\n", "", script, flags=re.MULTILINE) for script in found]


def code(page: Path) -> str:
    """The fenced blocks and the code spans of a page."""
    text = page.read_text()
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    return "\n".join([*fenced, *spans])


def run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# --- GitHub's side -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("custom.github-workflows-require-timeout", WORKFLOWS),
        ("vendor.github-actions", [ACTION]),
    ],
)
def test_schemas_of_github(schema: str, files: list[Path]) -> None:
    run(sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *files)


def test_nothing_insecure(tmp_path: Path) -> None:
    config = tmp_path / "zizmor.yml"
    config.write_text(POLICIES)
    zizmor = Path(sys.executable).with_name("zizmor")
    options = ("--offline", "--quiet", "--min-severity", "medium", "--config", config)
    run(zizmor, *options, *WORKFLOWS, ACTION)


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION], ids=lambda path: path.name)
def test_scripts_are_bash(path: Path) -> None:
    for script in scripts(path):
        run("bash", "-n", "-c", EXPRESSION.sub("x", script))


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION], ids=lambda path: path.name)
def test_actions_are_pinned_and_get_inputs_that_they_have(path: Path) -> None:
    inputs = load(ACTION)["inputs"]
    required = {name for name, about in inputs.items() if about.get("required")}
    for step in steps(path):
        if (used := step.get("uses")) is None:
            continue
        assert PINNED.fullmatch(used) or (path in OWN and (ROOT / used / "action.yml").exists())
        if ".github/actions/regress" in used:
            assert required <= set(step["with"]) <= set(inputs)


# --- this repository's side ----------------------------------------------------------------------


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_make_targets_exist(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text().replace("$(VENV)", ".venv")
    targets = set(re.findall(r"^([\w./-]+):(?!=)", makefile, re.MULTILINE))
    called = {name for script in scripts(path) for name in re.findall(r"\bmake ([\w./-]+)", script)}
    assert called
    assert called <= targets


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION, PAGE], ids=lambda path: path.name)
def test_commands_and_options_exist(path: Path) -> None:
    text = code(path) if path == PAGE else "\n".join(scripts(path))
    for name, rest in COMMAND.findall(text):
        assert name in COMMANDS, f"trm-edge {name}{rest}"
        unknown = set(OPTION.findall(rest)) - options_of(name)
        assert not unknown, f"trm-edge {name}{rest}: {unknown}"


def test_matrix_is_the_classifiers() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [line.rpartition(" ")[2] for line in project["classifiers"] if "Python :: 3." in line]
    jobs = load(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]
    assert jobs["tests"]["strategy"]["matrix"]["python"] == named


def test_ci_does_what_the_script_does() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    called = {
        command
        for name in ("ci.yml", "regress.yml")
        for command in scripts(ROOT / ".github" / "workflows" / name)
    }
    targets = re.findall(r"^(make [a-z-]+)", script, re.MULTILINE)
    assert "make regress" in targets
    assert set(targets) <= called


def test_budgets_of_the_template_are_the_defaults() -> None:
    assert tomllib.loads(BUDGETS.read_text()) == {"regress": asdict(Budgets())}
    assert Budgets.read(BUDGETS) == Budgets()


def test_the_board_is_asked_for_an_ability_that_doctor_reports() -> None:
    (script,) = (
        script
        for script in scripts(ROOT / "docs" / "templates" / "regress-jetson.yml")
        if "doctor --json" in script
    )
    program = script.partition("python3 -c '")[2].partition("'")[0]
    report = records.encode(examine(Environment(probe_driver=lambda: NO_GPU)), DOCTOR)
    result = subprocess.run(
        [sys.executable, "-c", program], input=report, capture_output=True, text=True, check=True
    )
    assert result.stdout == f"{NO_GPU.problem}\n"


# --- what the action does ------------------------------------------------------------------------


STAND_IN = """#!/bin/sh
echo "$@" >> "$CALLS"
[ -z "$VERDICT" ] || { mkdir -p out && echo "<testsuites/>" > out/junit.xml; }
exit "$CODE"
"""


def act(
    folder: Path, *, code: int, verdict: bool, **inputs: str
) -> tuple[int, dict[str, str], str]:
    """The comparing script with a stand-in for trm-edge: exit code, outputs and what was called."""
    action = load(ACTION)
    given = {name: about.get("default", "") for name, about in action["inputs"].items()}
    given |= {"bundle": "a bundle", "baseline": "b/base.json", "junit": "out/junit.xml"} | inputs
    tool, output, calls = folder / "bin" / "trm-edge", folder / "output", folder / "calls"
    tool.parent.mkdir()
    tool.write_text(STAND_IN)
    tool.chmod(0o755)
    output.touch()
    environment = {
        "PATH": f"{tool.parent}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_OUTPUT": str(output),
        "CALLS": str(calls),
        "CODE": str(code),
        "VERDICT": "yes" if verdict else "",
    }
    (script,) = (step for step in action["runs"]["steps"] if step.get("id") == "regress")
    own = {
        name: EXPRESSION.sub(lambda found: given[found[1].removeprefix("inputs.")], value)
        for name, value in script["env"].items()
    }
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script["run"]],
        cwd=folder,
        env=environment | own,
        check=False,
    )
    outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
    return done.returncode, outputs, calls.read_text().strip()


def test_action_is_green_where_nothing_regressed(tmp_path: Path) -> None:
    code, outputs, call = act(tmp_path, code=0, verdict=True)
    assert code == 0
    assert outputs == {"baseline": "b/base.json", "junit": "out/junit.xml", "regressed": "false"}
    assert call == "regress a bundle --baseline b/base.json --junit out/junit.xml"


def test_action_says_what_regressed_and_still_makes_the_report(tmp_path: Path) -> None:
    code, outputs, _ = act(tmp_path, code=1, verdict=True)
    assert (code, outputs["regressed"]) == (0, "true")
    names = [step.get("name") for step in load(ACTION)["runs"]["steps"]]
    assert names[-2:] == ["Report", "Red where something regressed"]


@pytest.mark.parametrize("code", [1, 2])
def test_action_fails_without_a_verdict(tmp_path: Path, code: int) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "junit.xml").write_text("of an older run")
    found, outputs, _ = act(tmp_path, code=code, verdict=False)
    assert (found, outputs) == (code, {"baseline": "b/base.json"})


def test_action_passes_target_and_budgets_on(tmp_path: Path) -> None:
    _, _, call = act(tmp_path, code=0, verdict=True, target="l4", config="my budgets.toml")
    assert call.endswith("--target l4 --config my budgets.toml")


def test_action_updates(tmp_path: Path) -> None:
    code, outputs, call = act(tmp_path, code=0, verdict=False, update="true", target="l4")
    assert (code, outputs["regressed"]) == (0, "false")
    assert call == "regress a bundle --baseline b/base.json --target l4 --update"
