"""The layers of an engine from the compiler's log, for engines that nothing here can open.

Where there is no GPU, TensorRT-RTX cannot open what it has compiled, and so the inspector is out of
reach. But its verbose log lists the same layers, one a line, in a notation of its own:

    Name: H0.L0.0.mlp.gu.product_myl0_8, LayerType: gemm, Inputs: [ { Name: x, ..., Datatype: Int8,
    Format: ... }], ..., Outputs: [ { ... }], ..., Metadata: [ONNX Layer: ...][ONNX Layer: ...]
"""

from __future__ import annotations

import json
import re
from typing import Any

from trm_edge.engines.compiler import BuildLog

_HEAD = "Layers:\n"
_LAYER = re.compile(
    r"^Name: (?P<name>.*?), LayerType: (?P<kind>\w+), Inputs: \[(?P<inputs>.*?)\], Constants: "
    r".*?\], Outputs: \[(?P<outputs>.*?)\], TacticName: .*?, Metadata: ?(?P<metadata>.*)$"
)
_TENSOR = re.compile(r"\{ Name: (?P<name>.*?), Dimensions: .*?Datatype: (?P<type>\w+)")
_BINDING = re.compile(r"^ ?Name: (?P<name>.*?), IOMode: ")


def layers_from_log(log: BuildLog) -> str | None:
    """Write the layers that a log lists as the inspector would.

    Args:
        log: of the compiler, its verbose lines included.

    Returns:
        JSON as :func:`~trm_edge.engines.layers.read_layers` reads it; None where the log lists no
        layers.
    """
    for text in reversed(log.of("verbose")):
        if text.startswith(_HEAD):
            lines = text.splitlines()
            return json.dumps({"Layers": _layers(lines), "Bindings": _bindings(lines)}, indent=1)
    return None


def _layers(lines: list[str]) -> list[dict[str, Any]]:
    layers = []
    for line in lines:
        match = _LAYER.match(line)
        if match is not None:
            layers.append(
                {
                    "Name": match["name"],
                    "LayerType": match["kind"],
                    "Inputs": _tensors(match["inputs"]),
                    "Outputs": _tensors(match["outputs"]),
                    "Metadata": match["metadata"],
                }
            )
    return layers


def _bindings(lines: list[str]) -> list[str]:
    names = []
    for line in lines:
        match = _BINDING.match(line)
        if match is not None:
            names.append(match["name"])
    return names


def _tensors(text: str) -> list[dict[str, str]]:
    tensors = []
    for match in _TENSOR.finditer(text):
        tensors.append({"Name": match["name"], "Format/Datatype": match["type"]})
    return tensors
