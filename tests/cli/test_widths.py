"""What commands print in 60, 80 and 120 columns and into a pipe: nothing is cut or lost."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.cli.commands import run
from tests.cli.test_regress_output import CHECKS
from tests.report.samples import bench_row, untimed_row
from trm_edge.bundle import Bundle
from trm_edge.cli.bench import print_record
from trm_edge.cli.console import PIPE_WIDTH
from trm_edge.cli.export_output import print_summary
from trm_edge.cli.regress_output import print_table
from trm_edge.evaluation.bench_file import BenchRecord
from trm_edge.evaluation.machine import Machine
from trm_edge.manifest import FloatLayer, SimulatedAccuracy

NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:[.,]\d+)*(?:e[-+]\d+)?(?!\w)")
MACHINE = Machine.current()
UNBROKEN = 400  # columns in which nothing has to wrap
NAMES = ("jetson-agx-orin-64gb", "jetson-orin-nano-4gb", "rtx-pro-6000-blackwell")


@pytest.fixture(scope="module")
def many_targets(toy_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy bundle with long names of targets and every figure that a target may have."""
    copy = tmp_path_factory.mktemp("many") / "a-bundle-with-a-name-of-some-length"
    shutil.copytree(toy_bundle, copy)
    opened = Bundle.open(copy)
    manifest = opened.manifest
    targets = dict(manifest.targets)
    files = dict(manifest.files)
    cpu = targets["cpu"]
    accuracy = SimulatedAccuracy(
        puzzles=512,
        exact_fixed=0.98047,
        exact_adaptive=0.9473,
        drop_fixed=0.39,
        drop_adaptive=-1.17,
        drop_bound=1.06,
        halting_agreement=0.859,
        carry_cosine_first=0.9981,
        carry_cosine_last=0.9975,
    )
    layers = (*cpu.float_layers, FloatLayer("layers.0.mlp.down_proj", "costs 1.25 points"))
    for name in NAMES:
        step = f"{name}/step.onnx"
        (copy / name).mkdir()
        shutil.copy(copy / cpu.step, copy / step)
        targets[name] = replace(
            cpu, step=step, profile=None, simulated=accuracy, float_layers=layers
        )
        files[step] = files[cpu.step]
    (copy / "manifest.json").write_text(replace(manifest, targets=targets, files=files).to_json())
    return copy


def print_bench(toy_bundle: Path) -> None:
    row = bench_row(untimed_row(Bundle.open(toy_bundle)), 1234.56, joules=0.0123)
    rows = []
    for name in ("sudoku-int8-of-today", "sudoku-fp32", "sudoku-int4-weight-only", "maze"):
        rows.append(replace(row, bundle=f"/bundles/{name}"))
    print_record(BenchRecord(MACHINE, tuple(rows)), wide=False)


SCREENS: dict[str, Callable[[Path, Path], None]] = {
    "regress": lambda toy, many: print_table(CHECKS, f"{many}: cpu, int8"),
    "bench": lambda toy, many: print_bench(toy),
    "export": lambda toy, many: print_summary(Bundle.open(many)),
}
COMMANDS: dict[str, tuple[str, ...]] = {
    "targets": ("targets",),
    "a GPU": ("targets", "jetson-agx-thor"),
    "the CPU": ("targets", "cpu"),
    "doctor": ("doctor",),
    "inspect": ("inspect", "MANY"),
    "parity": ("parity", "TOY", "-q"),
}


def screen(
    name: str,
    width: int | None,
    bundles: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> str:
    """What a screen shows in a width; None: into a pipe."""
    monkeypatch.setattr("trm_edge.evaluation.machine._load", lambda: 1.25)
    if width is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", str(width))
    if name in SCREENS:
        SCREENS[name](*bundles)
        return capsys.readouterr().out
    toy, many = map(str, bundles)
    result = run(*[word.replace("MANY", many).replace("TOY", toy) for word in COMMANDS[name]])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("width", [60, 80, 120, None])
@pytest.mark.parametrize("name", [*SCREENS, *COMMANDS])
def test_nothing_is_cut_and_no_number_is_lost(
    name: str,
    width: int | None,
    toy_bundle: Path,
    many_targets: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundles = (toy_bundle, many_targets)
    unbroken = screen(name, UNBROKEN, bundles, monkeypatch, capsys)
    text = screen(name, width, bundles, monkeypatch, capsys)
    assert "…" not in text
    limit = width or PIPE_WIDTH
    folders = {str(toy_bundle.parents[1]), str(many_targets.parents[1])}
    for line in text.splitlines():
        has_path = any(folder in line for folder in folders)  # may be of any length
        assert cell_len(line) <= limit or has_path, line
    lost = Counter(NUMBER.findall(unbroken)) - Counter(NUMBER.findall(text))
    assert not lost
    assert len(NUMBER.findall(unbroken)) > 2
    for target in NAMES:
        assert text.count(target) >= min(1, unbroken.count(target))


def test_the_figures_are_those_of_the_data(
    many_targets: Path, toy_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    text = run("inspect", many_targets).stdout
    for figure in ("98.0 %", "+0.39", "94.7 %", "-1.17", "86 %", "layers.0.mlp.down_proj"):
        assert text.count(figure) == 3
    text = run("parity", toy_bundle).stdout
    content = json.loads(run("parity", toy_bundle, "--json").stdout)
    assert f"same step: {100 * content['halting']['agreement']:.1f} %" in text
    assert f"{content['halting']['steps_candidate']:.2f} here" in " ".join(text.split())
    for mode in ("fixed", "adaptive"):
        low, high = content[mode]["interval_drop"]
        assert f"{content[mode]['drop']:+.2f} ({low:+.2f} to {high:+.2f})" in text


def test_wide_shows_every_column(many_targets: Path) -> None:
    lines = run("inspect", many_targets, "--wide").stdout.splitlines()
    for name in NAMES:
        (row,) = [line for line in lines if f"{name}/step.onnx" in line]
        assert row.startswith(name)
        assert row.endswith("layers.0.mlp.down_proj")
    sha256 = Bundle.open(many_targets).manifest.checkpoint.sha256
    assert sha256 in "".join(lines)
    (row,) = [line for line in run("targets", "--wide").stdout.splitlines() if "b200" in line]
    assert "10.8 to 11" in row
    assert "180" in row
