"""What a form compiles to, by TensorRT-RTX, which needs no GPU."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import onnx

from trm_edge.config import ModelConfig
from trm_edge.engines.builder import BuildOptions, build_engine
from trm_edge.engines.compiler import Compiler
from trm_edge.engines.layers import EngineLayers, read_layers
from trm_edge.engines.logged_layers import layers_from_log
from trm_edge.targets.profiles import load_profile

TARGETS = {"8.0": "a100", "8.9": "l4", "12.0": "rtx-5090"}  # a target of each capability


def can_compile() -> bool:
    """True where TensorRT-RTX is installed."""
    return find_spec("tensorrt_rtx") is not None


def compile_form(
    graph: onnx.ModelProto, config: ModelConfig, qtype: str, folder: Path
) -> dict[str, dict[str, object]]:
    """Compile a float16 graph for each compute capability that has its type.

    Args:
        graph: the quantized step graph.
        config: the model.
        qtype: the quantized type.
        folder: for the graph's file.

    Returns:
        By compute capability: compiler, seconds, ``engine_bytes``, ``layers``, ``quantized``
        (products that multiply quantized inputs), ``float`` (other products of the network) and
        ``conversions`` (Q/DQ that were fused into nothing).
    """
    path = folder / "form.onnx"
    onnx.save(graph, path)
    compiled: dict[str, dict[str, object]] = {}
    for capability, target in TARGETS.items():
        profile = load_profile(target)
        if qtype not in profile.precisions:
            continue
        compiler = Compiler("tensorrt-rtx")
        engine = build_engine(
            path, config, "float16", BuildOptions.of(profile, capability), compiler
        )
        text = layers_from_log(compiler.log)
        if text is None:
            raise ValueError(f"{compiler.name} {compiler.version} logs no layers")
        layers = read_layers(text)
        quantized, in_float = _products(layers, qtype)
        compiled[capability] = {
            "compiler": f"{compiler.name} {compiler.version}",
            "seconds": round(engine.seconds, 2),
            "engine_bytes": len(engine.content),
            "layers": len(layers.layers),
            "quantized": quantized,
            "float": in_float,
            "conversions": layers.conversions,
        }
    return compiled


def _products(layers: EngineLayers, qtype: str) -> tuple[int, int]:
    quantized = 0
    in_float = 0
    for types in layers.products().values():
        quantized += types[qtype]
        in_float += types.total() - types[qtype]
    return quantized, in_float
