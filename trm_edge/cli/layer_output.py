"""The layers of a target's engine, for ``trm-edge inspect --layers``."""

from __future__ import annotations

from pathlib import Path

from trm_edge.bundle import Bundle
from trm_edge.cli.console import stdout_console
from trm_edge.cli.tables import Column, DataTable, print_text
from trm_edge.cli.wrapping import JOINED
from trm_edge.engines.layers import EngineLayers
from trm_edge.engines.record import ENGINE, LAYERS
from trm_edge.errors import EngineError
from trm_edge.manifest import CPU, TargetRecord
from trm_edge.records import Format

LAYERS_FORMAT = Format("trm-edge.layers", 1)


def layers_file(bundle: Bundle, target: str | None) -> Path:
    """Find the inspector's JSON file, which was saved when the engine was built.

    Args:
        bundle: the bundle.
        target: name of the target; by default as in ``Bundle.target``.

    Raises:
        BundleError: there is no such target.
        EngineError: it was not saved; says why and what to do.
    """
    name, record = bundle.target(target)
    if _runs_without_engine(name, record):
        raise EngineError(_no_engine_layers(bundle, name))
    folder = (bundle.path / record.step).parent
    if (folder / LAYERS).exists():
        return folder / LAYERS
    build = f"trm-edge build {bundle.path} --target {name}"
    if (folder / ENGINE).exists():
        raise EngineError(
            f"{folder / ENGINE} was compiled on a machine without a GPU, and only a runtime on a "
            f"GPU can open an engine to list its layers. Build it on the device with: {build}"
        )
    raise EngineError(f"{name} has no engine yet. Build it on the device with: {build}")


def _runs_without_engine(name: str, target: TargetRecord) -> bool:
    if target.profile is None:
        return name == CPU
    return target.profile.engine == "onnxruntime"


def _no_engine_layers(bundle: Bundle, name: str) -> str:
    message = (
        f"{name} has no engine: ONNX Runtime runs its step graph directly, so there are no engine "
        "layers to show."
    )
    with_engine = []
    for target, record in bundle.manifest.targets.items():
        if not _runs_without_engine(target, record):
            with_engine.append(target)
    if with_engine:
        return f"{message} Pass --target with one of: {', '.join(with_engine)}"
    return f"{message} The bundle has no target with an engine."


def print_layers(engine: EngineLayers) -> None:
    """Print the types of each layer's inputs, and the layers that only reformat or convert.

    Args:
        engine: its layers.
    """
    console = stdout_console()
    table = DataTable(
        [
            Column("layer", align="left"),
            Column("inputs of its call sites", align="left", wraps=True),
        ]
    )
    for name, types in sorted(engine.products().items()):
        counts = [f"{qtype} x {count}".replace(" ", JOINED) for qtype, count in types.most_common()]
        table.add(name, ", ".join(counts))
    table.print(console)
    print_text(
        console,
        f"{len(engine.layers)} layers; {engine.reformats} of them only reformat, "
        f"{engine.conversions} are Q/DQ that were not fused into a product",
    )
    for layer in engine.layers:
        if layer.reformats or layer.converts:
            print_text(console, f"{layer.kind}: {layer.name}", indent=2)
