"""What an engine's inspector says, in the forms of TensorRT 10 and of 11 and TensorRT-RTX.

TensorRT 10 lists ``Bindings`` by name and a tensor's ``Format/Datatype`` in one text; 11 lists
``I/O Tensors`` as objects, and type and format may stand apart. Nodes of the step graph are found
in a layer's ``Metadata``, or in its name where it has none.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from trm_edge.errors import EngineError

_ONNX = re.compile(r"\[ONNX Layer: ([^\]]+)\]")
_SITE = re.compile(r"^(?:[HL]\d*\.)+")  # H1.L3. in front of a layer's name
_KINDS = (  # the first that a type's text contains
    ("int8", ("int8",)),
    ("fp8", ("fp8", "float8", "e4m3")),
    ("bfloat16", ("bf16", "bfloat16")),
    ("float16", ("half", "fp16", "float16")),
    ("int4", ("int4",)),
    ("int32", ("int32",)),
    ("int64", ("int64",)),
    ("bool", ("bool",)),
    ("float32", ("float", "fp32")),
)


@dataclass(frozen=True)
class EngineLayer:
    """One layer of an engine."""

    name: str
    kind: str
    inputs: tuple[str, ...]  # element types
    outputs: tuple[str, ...]
    nodes: tuple[str, ...]  # of the step graph, fused into it

    @property
    def reformats(self) -> bool:
        """It only moves data from one format to another."""
        return self.kind.lower() == "reformat" or self.name.startswith("Reformatting")

    @property
    def products(self) -> tuple[str, ...]:
        """The step graph's quantized products in it, like ``H0.L0.0.mlp.down``."""
        return tuple(node[: -len(".product")] for node in self.nodes if _is_product(node))

    @property
    def converts(self) -> bool:
        """It is made of nothing but Q/DQ, which should have been fused into a product."""
        return bool(self.nodes) and all(node.endswith((".q", ".dq", ".w")) for node in self.nodes)


@dataclass(frozen=True)
class EngineLayers:
    """A whole engine."""

    tensors: tuple[str, ...]  # inputs and outputs, by name
    layers: tuple[EngineLayer, ...]

    def products(self) -> dict[str, Counter[str]]:
        """By layer of the model: how many of its call sites take inputs of which type."""
        found: dict[str, Counter[str]] = {}
        for layer in self.layers:
            for product in layer.products:
                name = _SITE.sub("", product)
                taken = _narrowest(layer.inputs)
                found.setdefault(name, Counter())[taken] += 1
        return found

    @property
    def reformats(self) -> int:
        return sum(layer.reformats for layer in self.layers)

    @property
    def conversions(self) -> int:
        """Q/DQ that stand alone."""
        return sum(layer.converts for layer in self.layers)


def read_layers(text: str) -> EngineLayers:
    """Read the inspector's JSON.

    Raises:
        EngineError: it is not that, or has layer names alone.
    """
    try:
        raw = json.loads(text)
        layers = raw["Layers"]
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(
            f"this is not what TensorRT's inspector writes: {error!r}. Build the engine again."
        ) from error
    if not all(isinstance(layer, dict) for layer in layers):
        raise EngineError(
            "the engine tells no more than the names of its layers: it was built without detailed "
            "profiling verbosity. Build it again with: trm-edge build"
        )
    tensors = raw.get("Bindings") or [tensor["Name"] for tensor in raw.get("I/O Tensors", [])]
    return EngineLayers(tuple(tensors), tuple(map(_layer, layers)))


def _layer(raw: dict[str, Any]) -> EngineLayer:
    name = str(raw.get("Name", ""))
    nodes = _ONNX.findall(str(raw.get("Metadata", ""))) or re.split(r"\s*\+\s*", name)
    return EngineLayer(
        name=name,
        kind=str(raw.get("LayerType", "")),
        inputs=tuple(map(_type, raw.get("Inputs", []))),
        outputs=tuple(map(_type, raw.get("Outputs", []))),
        nodes=tuple(nodes),
    )


def _type(tensor: dict[str, Any]) -> str:
    for key in ("DataType", "Datatype", "Format/Datatype", "Format"):
        said = str(tensor.get(key, "")).lower()
        for kind, words in _KINDS:
            if any(word in said for word in words):
                return kind
    return "unknown"


def _narrowest(kinds: tuple[str, ...]) -> str:
    order = ("int4", "int8", "fp8", "float16", "bfloat16", "float32")
    return next((kind for kind in order if kind in kinds), "unknown")


def _is_product(node: str) -> bool:
    return node.endswith(".product") and not node.endswith((".mlp.product", ".mlp_t.product"))
