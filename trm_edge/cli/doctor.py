"""``trm-edge doctor``."""

from __future__ import annotations

import click

from trm_edge import records
from trm_edge.cli.command import Command
from trm_edge.cli.console import echo, stdout_console
from trm_edge.cli.options import json_option
from trm_edge.cli.tables import Column, DataTable, print_fields, print_text
from trm_edge.cli.wrapping import JOINED
from trm_edge.doctor import FORMAT, Ability, DoctorReport, examine

# Purpose of each package, and the extra that installs it.
PACKAGES = {
    "click": ("the command line", ""),
    "msgspec": ("reading and writing JSON", ""),
    "numpy": ("arrays", ""),
    "onnxruntime": ("solving on a CPU", ""),
    "rich": ("tables and progress bars", ""),
    "tomli": ("reading TOML", ""),
    "onnxruntime-gpu": ("step graphs on a GPU, instead of onnxruntime", ""),
    "torch": ("exporting, the reference backend", "export"),
    "onnx": ("exporting", "export"),
    "nvidia-modelopt": ("calibrating INT8 and FP8", "export"),
    "pyyaml": ("reading a checkpoint's configuration", "export"),
    "ml_dtypes": ("FP8 and INT4 values", "export"),
    "requests": ("needed by nvidia-modelopt", "export"),
    "huggingface_hub": ("needed by nvidia-modelopt", "export"),
    "tensorrt": ("engines for Jetson and datacenter GPUs", "tensorrt"),
    "tensorrt-rtx": ("engines that are built without a GPU", "rtx"),
    "cuda-python": ("running engines", "tensorrt"),
    "cuda-bindings": ("running engines, part of cuda-python", "tensorrt"),
}
ABILITIES = {
    "solve_cpu": "solve on the CPU",
    "exact_int8": "multiply any INT8 values exactly on the CPU",
    "export": "export bundles",
    "build_tensorrt": "build TensorRT engines for this machine's GPU",
    "build_tensorrt_rtx": "build TensorRT-RTX engines, with or without a GPU",
    "run_engines": "run engines",
    "solve_onnxruntime_cuda": "run step graphs in ONNX Runtime on the GPU",
}


@click.command("doctor", cls=Command)
@json_option
def command(as_json: bool) -> None:
    """Report what this machine can do, and what is missing for the rest.

    \b
    trm-edge doctor
    trm-edge doctor --json
    """
    report = examine()
    if as_json:
        click.echo(records.encode(report, FORMAT), nl=False)
        return
    _print(report)


def _print(report: DoctorReport) -> None:
    console = stdout_console()
    machine = {
        "trm-edge": report.trm_edge,
        "python": report.python,
        "system": report.system,
        "CPU": f"{report.cpu}, {report.cores} cores",
        "GPU": _gpus(report),
    }
    print_fields(console, machine)
    console.print()
    table = DataTable(
        [
            Column("package", align="left"),
            Column("version", align="left"),
            Column("extra", align="left"),
            Column("purpose", align="left", wraps=True),
        ]
    )
    for name, version in report.packages.items():
        purpose, extra = PACKAGES[name]
        source = f"[{extra}]" if extra else ""
        table.add(name, version or "not installed", source, purpose)
    table.print(console)
    console.print()
    for ability in report.abilities:
        print_text(console, _sentence(ability), indent=5)
    for problem in report.problems:
        console.print()
        print_text(console, f"Problem: {problem.problem}.")
        echo(problem.remedy)  # a command in it is copied whole


def _gpus(report: DoctorReport) -> str:
    if not report.gpus:
        return f"none ({report.driver.problem})"
    descriptions = []
    for gpu in report.gpus:
        descriptions.append(
            f"{gpu.name} (compute capability {gpu.compute_capability}, "
            f"{gpu.memory_bytes / 2**30:.1f} GiB)"
        )
    return f"{', '.join(descriptions)}; the driver supports CUDA {report.driver.cuda}"


def _sentence(ability: Ability) -> str:
    label = ABILITIES[ability.id]
    if ability.available:
        return f"yes{JOINED}{JOINED}{label}"
    return f"no{3 * JOINED}{label}: {ability.reason}. {ability.remedy}"
