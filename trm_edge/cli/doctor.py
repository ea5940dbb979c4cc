"""``trm-edge doctor``."""

from __future__ import annotations

import click
from rich.table import Table

from trm_edge import records
from trm_edge.cli.console import plain_console
from trm_edge.cli.options import json_option
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


@click.command("doctor")
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
    console = plain_console(soft_wrap=True)
    for name, value in (
        ("trm-edge", report.trm_edge),
        ("python", report.python),
        ("system", report.system),
        ("CPU", f"{report.cpu}, {report.cores} cores"),
        ("GPU", _gpus(report)),
    ):
        console.print(f"{name:<10} ", end="", style="bold")
        console.print(value, markup=False)
    table = Table("package", "version", "purpose", "extra")
    for name, version in report.packages.items():
        purpose, extra = PACKAGES[name]
        source = f"[{extra}]" if extra else ""
        table.add_row(name, version or "not installed", purpose, source)
    console.print(table)
    for ability in report.abilities:
        console.print(_sentence(ability), markup=False)
    for problem in report.problems:
        console.print("")
        console.print(f"Problem: {problem.problem}.", style="bold")
        console.print(problem.remedy)


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
        return f"yes  {label}"
    return f"no   {label}: {ability.reason}. {ability.remedy}"
