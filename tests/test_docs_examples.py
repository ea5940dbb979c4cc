"""Examples of README and docs run: Python blocks, and commands that need no GPU."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner

from tests.markdown import PAGES, Block, code_blocks, documented_commands
from tests.toys import BASE, toy_tokens, write_run
from trm_edge.bundle import Bundle
from trm_edge.cli.main import COMMANDS, cli
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.manifest import Limits
from trm_edge.targets import export_bundle as export_module
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.request import ExportRequest
from trm_edge.tasks import task_for

SUDOKU = replace(BASE, seq_len=81, vocab_size=11, num_puzzle_identifiers=1)
PUZZLE = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"
# What a `needs` comment above a block names, and the module that is there when it is met.
NEEDS = {
    "export": "torch",
    "jsonschema": "jsonschema",
    "parquet": "pyarrow",
    "serve": "uvicorn",
}
# Commands that are quick with a toy bundle and need no GPU.
QUICK = {"solve", "parity", "inspect", "targets", "doctor"}
NEEDS_A_DEVICE = ("--layers", "--ray", "jetson-orin-nano", "l4", "h100")
DOCUMENTED = [command for page in PAGES for command in documented_commands(page)]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that examples name: a toy Sudoku model stands for every model."""
    folder = tmp_path_factory.mktemp("docs")
    weights = write_run(folder / "runs" / "sudoku", SUDOKU)
    dataset = folder / "data" / "sudoku"
    for split, seed in (("train", 1), ("test", 2)):
        (dataset / split).mkdir(parents=True)
        tokens = np.maximum(toy_tokens(SUDOKU, 8, seed), 1)
        np.save(dataset / split / "all__inputs.npy", tokens)
        np.save(dataset / split / "all__labels.npy", np.maximum(tokens, 2))
    for name in ("puzzles.txt", "recipe.toml", "onnxruntime-web-1.30.0.tgz"):
        (folder / name).touch()
    for name in ("puzzles.txt", "train.csv", "test.csv", "all.csv"):
        (folder / name).write_text(f"{PUZZLE}\n{PUZZLE[::-1]}\n")
    checkpoint = load_checkpoint(weights)
    request = ExportRequest(
        checkpoint=checkpoint,
        task=task_for(checkpoint.config),
        precision="fp32",
        targets=(load_profile("cpu"),),
        dataset=dataset,
        limits=Limits(max_drop=100, min_halting_agreement=0),
    )
    export_module.export_bundle(request, folder / "my-bundle")
    return folder


@pytest.fixture
def in_workspace(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workspace as the current folder, with ``trm-edge`` on the path."""
    monkeypatch.chdir(workspace)
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("PATH", programs)
    return workspace


def unmet(block: Block) -> bool:
    return block.needs is not None and find_spec(NEEDS[block.needs]) is None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page: Path, in_workspace: Path) -> None:
    """The blocks of a page run one after another in one namespace, as a reader would."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in code_blocks(page):
        if block.language != "python" or unmet(block):
            continue
        # Empty lines in front, so that a traceback has the page's line numbers.
        source = "\n" * (block.line - 1) + block.text
        exec(compile(source, str(page), "exec"), namespace)


def test_there_are_blocks_to_run() -> None:
    blocks = [block for page in PAGES for block in code_blocks(page)]
    assert sum(block.language == "python" for block in blocks) >= 15
    assert len(DOCUMENTED) >= 40


def parse(name: str, arguments: list[str]) -> None:
    """Parse the arguments of a command, or of the command of its own that the first one names."""
    real = cli.get_command(click.Context(cli), name)
    assert real is not None, name
    if isinstance(real, click.Group) and arguments and not arguments[0].startswith("-"):
        name, *arguments = arguments
        inner = real.get_command(click.Context(real), name)
        assert inner is not None, name
        real = inner
    real.make_context(name, list(arguments)).close()


@pytest.mark.parametrize("command", DOCUMENTED, ids=lambda command: command[0])
def test_documented_commands_parse(command: tuple[str, list[str]], in_workspace: Path) -> None:
    """Options exist and their values have the right form."""
    _, (name, *arguments) = command
    parse(name, arguments)


def is_quick(arguments: list[str]) -> bool:
    if arguments[0] not in QUICK or any(word in arguments for word in NEEDS_A_DEVICE):
        return False
    return arguments[0] in {"doctor", "targets"} or "my-bundle" in arguments


@pytest.mark.parametrize(
    "command",
    [command for command in DOCUMENTED if is_quick(command[1])],
    ids=lambda command: command[0],
)
def test_quick_commands_succeed(command: tuple[str, list[str]], in_workspace: Path) -> None:
    _, arguments = command
    result = CliRunner().invoke(cli, arguments, input=f"{PUZZLE}\n", prog_name="trm-edge")
    assert result.exit_code == 0, result.output
    if "--json" in arguments:
        assert json.loads(result.stdout)["format"].startswith("trm-edge.")


@pytest.mark.parametrize("name", ["inspect", "parity", "doctor", "targets"])
def test_json_names_its_format(name: str, in_workspace: Path) -> None:
    bundle = ["my-bundle"] if name in {"inspect", "parity"} else []
    result = CliRunner().invoke(cli, [name, *bundle, "--json"], prog_name="trm-edge")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    page = (PAGES[0].parents[0] / "docs" / "json.md").read_text(encoding="utf-8")
    assert next(iter(record)) == "format"
    assert f"`{record['format']}`" in page


@pytest.mark.parametrize(
    "command",
    [
        command
        for command in DOCUMENTED
        if command[1][0] == "export"
        and not {"--into", "--triton"} & set(command[1])
        and not any(word.startswith("hf:") for word in command[1])  # needs the hub
    ],
    ids=lambda command: command[0],
)
def test_documented_exports_are_accepted(
    command: tuple[str, list[str]],
    workspace: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Everything before the work itself runs: checks of options, loading the checkpoint."""
    for name in ("sudoku", "maze"):
        shutil.copytree(workspace / "runs/sudoku", tmp_path / "runs" / name)
    for name in ("adapted", "adapted-0", "build/train/hrm/checkpoint"):
        shutil.copytree(workspace / "runs/sudoku", tmp_path / name)
    write_run(tmp_path / "runs/arc", replace(SUDOKU, num_puzzle_identifiers=3), step=518071)
    for name in ("sudoku", "sudoku-extreme", "arc1concept-aug-1000"):
        shutil.copytree(workspace / "data/sudoku", tmp_path / "data" / name)
        shutil.copy(workspace / "runs/sudoku/dataset.json", tmp_path / "data" / name)
    names = json.dumps(["<blank>", "a", "b"])
    for name in ("runs/arc", "data/arc1concept-aug-1000"):
        (tmp_path / name / "identifiers.json").write_text(names)
    shutil.copy(workspace / "runs/sudoku/all_config.yaml", tmp_path)
    for name in ("step_50000", "runs/sudoku/step_50000"):
        shutil.copy(workspace / "runs/sudoku/step_10", tmp_path / name)
    for name in ("puzzles.txt", "train.csv", "test.csv", "all.csv", "recipe.toml"):
        shutil.copy(workspace / name, tmp_path)
    monkeypatch.chdir(tmp_path)

    def finished_bundle(request: ExportRequest, output: Path, **options: Any) -> Bundle:
        return Bundle.open(workspace / "my-bundle")

    monkeypatch.setattr(export_module, "export_bundle", finished_bundle)
    result = CliRunner().invoke(cli, command[1], prog_name="trm-edge")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_of_help_parse(name: str, in_workspace: Path, tmp_path: Path) -> None:
    """Examples of ``--help`` are commands, too."""
    real = cli.get_command(click.Context(cli), name)
    assert real is not None
    page = tmp_path / "help.md"
    example_lines = [line.strip() for line in (real.help or "").splitlines()]
    text = "\n".join(line for line in example_lines if line.startswith(("trm-edge", "|")))
    page.write_text(f"```sh\n{text}\n```\n")
    commands = documented_commands(page)
    assert commands
    for where, (command, *arguments) in commands:
        assert command in COMMANDS, where
        parse(command, arguments)
