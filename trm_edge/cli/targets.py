"""``trm-edge targets``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click
from click.shell_completion import CompletionItem

from trm_edge import records
from trm_edge.cli.command import Command
from trm_edge.cli.completion import matching
from trm_edge.cli.console import echo, stdout_console
from trm_edge.cli.options import json_option, wide_option
from trm_edge.cli.tables import Column, DataTable, print_fields, print_terms
from trm_edge.profile import TargetProfile

FORMAT = records.Format("trm-edge.targets", 1)
_LIST_TERMS = (
    "Compute: the GPU's compute capability. trm-edge targets NAME explains a target; --wide adds "
    "memory and TensorRT versions."
)
_ENGINES = {"tensorrt": "TensorRT", "onnxruntime": "ONNX Runtime"}
_INT8_RANGES = {
    "per_token": "per-token scales (dynamic)",
    "per_token_products": "per-token scales for SwiGLU products and attention's output, "
    "per-tensor ranges (static) otherwise",
    "per_layer": "per-tensor ranges (static), from calibration",
}


@dataclass(frozen=True)
class TargetList:
    """Output of ``trm-edge targets --json``.

    Args:
        targets: the profiles, sorted by name; one where a name was given.
    """

    targets: tuple[TargetProfile, ...]


def complete_target(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the names of all targets to a shell.

    Args:
        context: of the command line so far.
        parameter: the option or argument.
        incomplete: what is typed of it.
    """
    from trm_edge.targets.profiles import profile_names

    return matching(profile_names(), incomplete)


@click.command("targets", cls=Command)
@click.argument("name", required=False, shell_complete=complete_target)
@wide_option
@json_option
def command(name: str | None, wide: bool, as_json: bool) -> None:
    """List the target devices, or explain one.

    \b
    trm-edge targets
    trm-edge targets jetson-orin-nano
    """
    from trm_edge.targets.profiles import load_profile, profile_names

    names = [name] if name else profile_names()
    profiles = [load_profile(profile_name) for profile_name in names]
    if as_json:
        click.echo(records.encode(TargetList(tuple(profiles)), FORMAT), nl=False)
    elif name:
        _explain(profiles[0])
    else:
        _list(profiles, wide=wide)


def _list(profiles: Sequence[TargetProfile], *, wide: bool) -> None:
    table = DataTable(
        [
            Column("target", align="left"),
            Column("compute", align="left"),
            Column("memory, GB", wide=True),
            Column("TensorRT", align="left", wide=True),
            Column("software", align="left", wide=True),
            Column("precisions", align="left"),
            Column("device", align="left", wraps=True),
        ]
    )
    for profile in profiles:
        is_gpu = profile.engine == "tensorrt"
        precisions = [name for name in profile.precisions if "weight-only" not in name]
        table.add(
            profile.name,
            profile.compute_capability or "CPU",
            f"{profile.memory_gb:g}" if is_gpu else "",
            " to ".join(profile.tensorrt) if is_gpu else "",
            profile.software if is_gpu else "",
            " ".join(precisions),
            profile.description.partition(",")[0],
        )
    console = stdout_console()
    table.print(console, wide=wide)
    print_terms(console, _LIST_TERMS)


def _explain(profile: TargetProfile) -> None:
    fewest_slots, usual_slots, most_slots = profile.batch
    fast = [name for name in profile.precisions if name not in profile.correctness_only]
    fields = {
        "device": profile.description,
        "engine": _ENGINES[profile.engine],
        "precisions": ", ".join(fast),
        "for correctness": ", ".join(profile.correctness_only),
        "carry": f"{profile.carry}, as everything that is not quantized",
        "INT8 inputs": _INT8_RANGES[profile.int8_ranges],
        "graph": f"ONNX opset up to {profile.opset}",
        "slots": f"{fewest_slots} to {most_slots}, tuned for {usual_slots}",
    }
    if profile.engine == "tensorrt":
        fields |= _gpu_fields(profile)
    print_fields(stdout_console(), {name: text for name, text in fields.items() if text})
    if profile.engine == "tensorrt":
        echo(f"\nNext, on any machine:\n  trm-edge export --int8 --target {profile.name}")


def _gpu_fields(profile: TargetProfile) -> dict[str, str]:
    sharing = " shared with the CPU" if profile.unified_memory else ""
    versions = " to ".join(profile.tensorrt)
    return {
        "compute": f"capability {profile.compute_capability}",
        "memory": f"{profile.memory_gb:g} GB{sharing}",
        "builder": f"workspace up to {profile.workspace_mb} MB",
        "TensorRT": f"{versions} ({profile.software})",
        "power modes": ", ".join(profile.power_modes),
    }
