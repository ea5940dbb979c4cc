"""``trm-edge targets``."""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from trm_edge.cli.options import json_option
from trm_edge.profile import TargetProfile
from trm_edge.targets.profiles import load_profile, profile_names


@click.command("targets")
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List the devices that there are graphs for, or explain one.

    \b
    trm-edge targets
    trm-edge targets jetson-orin-nano
    """
    profiles = [load_profile(name)] if name else [load_profile(one) for one in profile_names()]
    if as_json:
        content = [asdict(profile) for profile in profiles]
        click.echo(json.dumps(content[0] if name else content, indent=2))
    elif name:
        _explain(profiles[0])
    else:
        _list(profiles)


def _list(profiles: list[TargetProfile]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("target", "compute", "TensorRT", "precisions", "device"):
        table.add_column(column, no_wrap=True)
    for profile in profiles:
        table.add_row(
            profile.name,
            profile.compute_capability or "CPU",
            " to ".join(profile.tensorrt) if profile.engine == "tensorrt" else "",
            " ".join(one for one in profile.precisions if "weight-only" not in one),
            profile.description.partition(",")[0],
        )
    console = Console(highlight=False)
    console.width = max(console.width, 100)  # a name that is cut is of no use
    console.print(table)
    click.echo("\ntrm-edge targets NAME explains one.")


def _explain(profile: TargetProfile) -> None:
    least, usual, most = profile.batch
    quick = [one for one in profile.precisions if one not in profile.correctness_only]
    rounding = {
        "per_token": "each row by its own largest magnitude",
        "per_token_products": "one range a layer; SwiGLU products and attention's output each row",
        "per_layer": "by one range a layer, taken in advance",
    }
    rows = {
        "device": profile.description,
        "engine": {"tensorrt": "TensorRT", "onnxruntime": "ONNX Runtime"}[profile.engine],
        "precisions": ", ".join(quick),
        "for correctness": ", ".join(profile.correctness_only),
        "carry": f"{profile.carry}, as everything that is not quantized",
        "INT8 inputs": rounding[profile.int8_ranges],
        "graph": f"ONNX opset up to {profile.opset}",
        "slots": f"{least} to {most}, tuned for {usual}",
    }
    if profile.engine == "tensorrt":
        shared = " shared with the CPU" if profile.unified_memory else ""
        rows |= {
            "compute": f"capability {profile.compute_capability}",
            "memory": f"{profile.memory_gb:g} GB{shared}",
            "builder": f"may use {profile.workspace_mb} MB",
            "TensorRT": f"{' to '.join(profile.tensorrt)} ({profile.software})",
            "power modes": ", ".join(profile.power_modes),
        }
    console = Console(highlight=False, soft_wrap=True)
    for key, text in rows.items():
        if text:
            console.print(f"[bold]{key:<16}[/bold] {text}")
    if profile.engine == "tensorrt":
        console.print(
            f"\ntrm-edge export --int8 --target {profile.name} -o my-bundle   on any machine"
        )
