"""Check workflows, the action and the templates against GitHub's schemas and this repository."""

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
# A hash with its version behind it; our own action has neither a hash before it is committed, nor
# a tag yet.
PINNED = re.compile(
    r"actions/[\w-]+(/[\w-]+)?@[0-9a-f]{40} # v\d+\.\d+\.\d+"
    r"|trm-edge/trm-edge/\.github/actions/\w+@main # zizmor: ignore\[unpinned-uses\]"
)
USES = re.compile(r"^ *(?:- )?uses: (.*)$", re.MULTILINE)


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content


def steps(path: Path) -> Iterator[dict[str, Any]]:
    content = load(path)
    for job in content.get("jobs", {"action": content.get("runs")}).values():
        yield from job["steps"]


def scripts(path: Path) -> list[str]:
    """Shell script of every `run:`, one command a line, without comments."""
    commands = []
    for step in steps(path):
        if "run" in step:
            script = step["run"].replace("\\\n", " ")
            commands.append(re.sub(r"^ *#.*\n", "", script, flags=re.MULTILINE))
    return commands


def code(page: Path) -> str:
    """Fenced blocks and code spans of a page."""
    text = page.read_text()
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    return "\n".join([*fenced, *spans])


def run(*command: str | Path) -> None:
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr


# --- GitHub's rules -----------------------------------------------------------------------------


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


def test_workflows_are_secure() -> None:
    """By zizmor's own rules, as in a repository that copied the templates."""
    zizmor = Path(sys.executable).with_name("zizmor")
    options = ("--offline", "--quiet", "--no-config", "--min-severity", "medium")
    run(zizmor, *options, *WORKFLOWS, ACTION)


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION], ids=lambda path: path.name)
def test_scripts_are_bash(path: Path) -> None:
    for script in scripts(path):
        run("bash", "-n", "-c", EXPRESSION.sub("x", script))


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION], ids=lambda path: path.name)
def test_actions_are_pinned(path: Path) -> None:
    for used in USES.findall(path.read_text()):
        is_local = path in OWN and (ROOT / used / "action.yml").exists()
        assert is_local or PINNED.fullmatch(used), used


def test_an_action_has_the_same_hash_everywhere() -> None:
    hashes: dict[str, set[str]] = {}
    for path in (*WORKFLOWS, ACTION):
        for used in USES.findall(path.read_text()):
            name, _, version = used.partition("@")
            hashes.setdefault("/".join(name.split("/")[:2]), set()).add(version)
    assert {name for name, versions in hashes.items() if len(versions) > 1} == set()


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION], ids=lambda path: path.name)
def test_actions_get_only_inputs_that_they_have(path: Path) -> None:
    inputs = load(ACTION)["inputs"]
    required = {name for name, settings in inputs.items() if settings.get("required")}
    for step in steps(path):
        used = step.get("uses")
        if used is not None and ".github/actions/regress" in used:
            assert required <= set(step["with"]) <= set(inputs)


# --- this repository's rules ----------------------------------------------------------------------


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_make_targets_exist(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text().replace("$(VENV)", ".venv")
    targets = set(re.findall(r"^([\w./-]+):(?!=)", makefile, re.MULTILINE))
    calls = set(re.findall(r"\bmake ([\w./-]+)", "\n".join(scripts(path))))
    assert calls
    assert calls <= targets


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION, PAGE], ids=lambda path: path.name)
def test_commands_and_options_exist(path: Path) -> None:
    text = code(path) if path == PAGE else "\n".join(scripts(path))
    for name, arguments in COMMAND.findall(text):
        assert name in COMMANDS, f"trm-edge {name}{arguments}"
        unknown = set(OPTION.findall(arguments)) - options_of(name)
        assert not unknown, f"trm-edge {name}{arguments}: {unknown}"


def test_the_matrix_has_the_versions_of_the_classifiers() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    python = [line for line in project["classifiers"] if "Python :: 3." in line]
    versions = [line.rpartition(" ")[2] for line in python]
    jobs = load(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]
    assert jobs["tests"]["strategy"]["matrix"]["python"] == versions


def test_ci_does_what_the_script_does() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    calls: list[str] = []
    for name in ("ci.yml", "regress.yml", "page.yml", "emulated.yml"):
        calls += scripts(ROOT / ".github" / "workflows" / name)
    targets = re.findall(r"^(make [a-z-]+)", script, re.MULTILINE)
    assert "make regress" in targets
    assert set(targets) <= set(calls)


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


INSTALL = "Install trm-edge"
STAND_IN = """#!/bin/sh
echo "$@" >> "$CALLS"
[ -z "$VERDICT" ] || { mkdir -p out && echo "<testsuites/>" > out/junit.xml; }
exit "$CODE"
"""


def act(
    folder: Path, *, code: int, verdict: bool, **inputs: str
) -> tuple[int, dict[str, str], str]:
    """Run the action's script with a stand-in for trm-edge: exit code, outputs and the call."""
    action = load(ACTION)
    values = {name: settings.get("default", "") for name, settings in action["inputs"].items()}
    values |= {"bundle": "a bundle", "baseline": "b/base.json", "junit": "out/junit.xml"} | inputs
    tool = folder / "bin" / "trm-edge"
    output = folder / "output"
    calls = folder / "calls"
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
    for name, value in script["env"].items():
        environment[name] = EXPRESSION.sub(
            lambda match: values[match[1].removeprefix("inputs.")], value
        )
    process = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script["run"]],
        cwd=folder,
        env=environment,
        check=False,
    )
    outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
    return process.returncode, outputs, calls.read_text().strip()


def test_action_passes_if_nothing_regressed(tmp_path: Path) -> None:
    code, outputs, call = act(tmp_path, code=0, verdict=True)
    assert code == 0
    assert outputs == {"baseline": "b/base.json", "junit": "out/junit.xml", "regressed": "false"}
    assert call == "regress a bundle --baseline b/base.json --junit out/junit.xml"


def test_action_reports_a_regression_and_still_makes_the_report(tmp_path: Path) -> None:
    code, outputs, _ = act(tmp_path, code=1, verdict=True)
    assert (code, outputs["regressed"]) == (0, "true")
    names = [step.get("name") for step in load(ACTION)["runs"]["steps"]]
    assert names[-2:] == ["Report", "Fail if something regressed"]


def test_action_warns_where_there_is_no_verdict_on_something(tmp_path: Path) -> None:
    """The command has annotated it; the job fails only if the caller asks for that."""
    code, outputs, _ = act(tmp_path, code=4, verdict=True)
    assert code == 0
    assert (outputs["regressed"], outputs["inconclusive"]) == ("false", "true")
    last = yaml.safe_load(ACTION.read_text())["runs"]["steps"][-1]
    assert "inputs.fail-on-inconclusive == 'true'" in last["if"]


@pytest.mark.parametrize("code", [1, 2, 3, 5])
def test_action_fails_without_a_verdict(tmp_path: Path, code: int) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "junit.xml").write_text("of an older run")
    exit_code, outputs, _ = act(tmp_path, code=code, verdict=False)
    assert (exit_code, outputs) == (code, {"baseline": "b/base.json"})


@pytest.mark.parametrize(
    ("version", "extras", "requirement"),
    [
        ("", "report", f"{ROOT}[report]"),
        ("", "", f"{ROOT}"),
        ("1.2.*", "report,x", "trm-edge[report,x]==1.2.*"),
    ],
)
def test_action_installs_itself_or_a_release(
    version: str, extras: str, requirement: str, tmp_path: Path
) -> None:
    """Without a version nothing is asked of a package index but what trm-edge depends on."""
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.write_text(
        '#!/bin/sh\nmkdir -p "$3/bin"\n'
        'printf \'#!/bin/sh\\necho "$@"\\n\' > "$3/bin/pip"\nchmod +x "$3/bin/pip"\n'
    )
    python.chmod(0o755)
    (step,) = (step for step in load(ACTION)["runs"]["steps"] if step.get("name") == INSTALL)
    environment = {
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_PATH": str(tmp_path / "path"),
        "GITHUB_ACTION_PATH": str(ACTION.parent),
        "VERSION": version,
        "EXTRAS": extras,
    }
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"install --quiet {requirement}\n"
    assert (tmp_path / "path").read_text() == f"{tmp_path}/trm-edge/bin\n"


def test_action_passes_target_and_budgets_on(tmp_path: Path) -> None:
    _, _, call = act(tmp_path, code=0, verdict=True, target="l4", config="my budgets.toml")
    assert call.endswith("--target l4 --config my budgets.toml")


def test_action_updates_the_baseline(tmp_path: Path) -> None:
    code, outputs, call = act(tmp_path, code=0, verdict=False, update="true", target="l4")
    assert (code, outputs["regressed"]) == (0, "false")
    assert call == "regress a bundle --baseline b/base.json --target l4 --update"
