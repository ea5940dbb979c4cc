"""Run the bundled models on emulated CPUs and compare the answers with native ones.

    python benchmarks/emulated.py --output benchmarks/results

QEMU emulates x64 CPUs without VNNI and Arm CPUs as on Jetson boards. On each, the wheel is
installed, the commands run, and both precisions of a bundle solve the same puzzles. Needs Debian or
Ubuntu on x86-64 and installs the emulator there. Writes emulated.json and emulated.md, where the
figures of machines and models that did not run stay if they are of as many puzzles and steps. The
exit code is 1 if INT8 answers differ by more than float32 itself does (lib/emulation/compare.py).
"""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import zip_longest
from pathlib import Path
from threading import Lock
from typing import Any

import click
from lib.document_tables import update_tables
from lib.emulation.commands import check_bundle, check_installation
from lib.emulation.compare import compare_recordings
from lib.emulation.errors import EmulationError
from lib.emulation.interpreter import Interpreter, emulated_interpreter, native_interpreter
from lib.emulation.machines import MACHINES, NATIVE, Architecture, Machine, machines_named
from lib.emulation.packages import install_packages
from lib.emulation.page import page
from lib.emulation.recordings import Plan, Recording, record_answers
from lib.emulation.report import report_problems, report_table, update_report
from lib.emulation.roots import build_wheel, install, make_arm_root

from trm_edge.files import check_writable

ROOT = Path(__file__).parents[1]
MODELS = ("sudoku", "maze")
_ARCHITECTURES: tuple[Architecture, ...] = ("x86-64", "aarch64")


@click.command(help=__doc__)
@click.option("--machine", "names", multiple=True, type=click.Choice([m.name for m in MACHINES]))
@click.option("--model", "models", multiple=True, default=MODELS, type=click.Choice(MODELS))
@click.option("--puzzles", default=8, show_default=True, type=click.IntRange(1))
@click.option("--steps", default=16, show_default=True, type=click.IntRange(1), help="ACT steps.")
@click.option("--parity-puzzles", default=2, show_default=True, type=click.IntRange(1))
@click.option("--work", default=ROOT / "build/emulated", type=click.Path(path_type=Path))
@click.option("--bundles", type=click.Path(path_type=Path), help="Folder of bundles, by model.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder.")
@click.option("--update", "document", type=click.Path(path_type=Path, exists=True))
def main(
    names: tuple[str, ...],
    models: tuple[str, ...],
    puzzles: int,
    steps: int,
    parity_puzzles: int,
    work: Path,
    bundles: Path | None,
    output: Path,
    document: Path | None,
) -> None:
    work = work.resolve()
    check_writable(output / "emulated.json")
    plan = Plan(puzzles, steps, parity_puzzles)
    machines = machines_named(names)
    try:
        sites = _install(machines, work)
        paths = _export(models, bundles or work / "bundles")
        native = _run(NATIVE, paths, plan, work, sites)
        report = update_report(output, compare_recordings(native, native), plan)
        for recordings in _run_all(machines, paths, plan, work, sites):
            report = update_report(output, compare_recordings(recordings, native), plan)
    except EmulationError as error:
        raise click.ClickException(str(error)) from error
    click.echo((output / "emulated.md").read_text())
    if document is not None:
        update_tables(document, {"emulated": report_table(report)})
    sys.exit(int(bool(report_problems(report))))


def _install(machines: Sequence[Machine], work: Path) -> dict[str, Path]:
    """Install the emulators, the arm64 root, and the wheel for each architecture."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise EmulationError(
            f"emulation starts from Linux on x86-64, and this is {platform.system()} on "
            f"{platform.machine()}. Run it there."
        )
    install_packages()
    work.mkdir(parents=True, exist_ok=True)
    wheel = build_wheel(ROOT, work / "dist")
    sites: dict[str, Path] = {}
    for architecture in _ARCHITECTURES:
        used = [machine for machine in machines if machine.architecture == architecture]
        if architecture == "aarch64" and not used:
            continue
        if architecture == "aarch64":
            make_arm_root(work / "arm64")
        site = work / f"site-{architecture}"
        install(wheel, site, architecture, ROOT / "constraints.txt")
        sites[architecture] = site
    return sites


def _export(models: Sequence[str], folder: Path) -> dict[str, Path]:
    """Export the bundles that are not there."""
    paths = {}
    for model in models:
        path = folder / model
        if not (path / "manifest.json").exists():
            command = [sys.executable, "-m", "trm_edge", "export", "--task", model, "--int8"]
            if subprocess.run([*command, "-o", str(path)], check=False).returncode:
                raise EmulationError(f"cannot export the bundled {model} model")
        paths[model] = path
    return paths


def _run_all(
    machines: Sequence[Machine],
    bundles: Mapping[str, Path],
    plan: Plan,
    work: Path,
    sites: Mapping[str, Path],
) -> Iterator[list[Recording]]:
    """Run the machines, one of each architecture at a time: an architecture has one root.

    Yields:
        The recordings of each machine when it has finished.
    """
    with ThreadPoolExecutor(len(_ARCHITECTURES)) as pool:
        locks = {architecture: Lock() for architecture in _ARCHITECTURES}

        def run(machine: Machine) -> list[Recording]:
            with locks[machine.architecture]:
                return _run(machine, bundles, plan, work, sites)

        futures = [pool.submit(run, machine) for machine in _alternating(machines)]
        for future in as_completed(futures):
            yield future.result()


def _alternating(machines: Sequence[Machine]) -> list[Machine]:
    """Order machines such that both architectures start at once."""
    queues = []
    for architecture in _ARCHITECTURES:
        queues.append([machine for machine in machines if machine.architecture == architecture])
    order = []
    for pair in zip_longest(*queues):
        order += [machine for machine in pair if machine is not None]
    return order


def _run(
    machine: Machine,
    bundles: Mapping[str, Path],
    plan: Plan,
    work: Path,
    sites: Mapping[str, Path],
) -> list[Recording]:
    """Run the commands on one machine, then record its answers."""
    began = time.monotonic()
    interpreters = _interpreters(machine, work, sites[machine.architecture])
    vectors = work / "vectors"
    vectors.mkdir(exist_ok=True)
    check_installation(interpreters["int8"], machine)
    recordings = []
    for model, bundle in bundles.items():
        check_bundle(interpreters["int8"], bundle, plan.parity_puzzles)
        recordings += record_answers(interpreters, model, bundle, plan, vectors)
    click.echo(f"{machine.name}: {time.monotonic() - began:.0f} s", err=True)
    return recordings


def _interpreters(machine: Machine, work: Path, site: Path) -> dict[str, Interpreter]:
    if not machine.cpu:
        native = native_interpreter(site)
        return {"int8": native, "float32": native}
    root = work / "arm64" if machine.architecture == "aarch64" else work / "x64"
    float32 = emulated_interpreter(machine, root, site, cpu=machine.float32_cpu)
    return {"int8": emulated_interpreter(machine, root, site), "float32": float32}


def _page(report: dict[str, Any]) -> str:
    return page(report)


if __name__ == "__main__":
    main()
