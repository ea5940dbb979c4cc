"""The inspector's description of an engine, as TensorRT 10, TensorRT 11 and TensorRT-RTX write it.

TensorRT 10 lists ``Bindings`` by name and a tensor's ``Format/Datatype`` in one text; 11 lists
``I/O Tensors`` as objects, and type and format may be separate. A layer's nodes of the step graph
are listed in its ``Metadata``, or in its name where it has none.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from trm_edge.engines.record import REBUILD
from trm_edge.errors import EngineError
from trm_edge.files import read_bytes
from trm_edge.json_text import json_problem
from trm_edge.records import MAX_BYTES

PRODUCT_TYPES: tuple[str, ...] = ("int4", "int8", "fp8", "float16", "bfloat16", "float32")
"""Element types of a matrix product's inputs, the narrowest first."""

_PRODUCT = ".product"
_ONNX_NODE = re.compile(r"\[ONNX Layer: ([^\]]+)\]")
_CALL_SITE = re.compile(r"^(?:[HL]\d*\.)+")  # H1.L3. before a layer's name
_TYPE_KEYS = ("DataType", "Datatype", "Format/Datatype", "Format")
_TYPE_NAMES = (  # the first type with a name that the text contains
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
    """One layer of an engine.

    Args:
        name: TensorRT's name for it.
        kind: TensorRT's layer type, such as ``gemm``.
        inputs: element types of its inputs.
        outputs: element types of its outputs.
        nodes: the step graph's nodes that were fused into it.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[str, ...]

    @property
    def reformats(self) -> bool:
        """True where the layer only moves data from one format to another."""
        return self.kind.lower() == "reformat" or self.name.startswith("Reformatting")

    @property
    def products(self) -> tuple[str, ...]:
        """The step graph's quantizable matrix products in it, such as ``H0.L0.0.mlp.down``."""
        return tuple(node.removesuffix(_PRODUCT) for node in self.nodes if _is_product(node))

    @property
    def converts(self) -> bool:
        """True where the layer is Q/DQ alone, which should have been fused into a product."""
        return bool(self.nodes) and all(_is_conversion(node) for node in self.nodes)


@dataclass(frozen=True)
class EngineLayers:
    """The layers of an engine.

    Args:
        tensors: names of its inputs and outputs.
        layers: its layers in order of execution.
    """

    tensors: tuple[str, ...]
    layers: tuple[EngineLayer, ...]

    def products(self) -> dict[str, Counter[str]]:
        """Count the input types of each layer of the model.

        A compiler may split a product: an integer product, then its scales as a layer of their own,
        which names the product too and reads float16. The narrowest input of all of them counts.

        Returns:
            By the model's layer, such as ``0.mlp.down``: how many of its call sites multiply inputs
            of each of :data:`PRODUCT_TYPES` (or ``unknown``).
        """
        inputs: dict[str, tuple[str, ...]] = {}  # by call site
        for layer in self.layers:
            for product in layer.products:
                inputs[product] = inputs.get(product, ()) + layer.inputs
        counts: dict[str, Counter[str]] = {}
        for product, types in inputs.items():
            name = _CALL_SITE.sub("", product)
            counts.setdefault(name, Counter())[_narrowest(types)] += 1
        return counts

    @property
    def reformats(self) -> int:
        """Number of layers that only move data from one format to another."""
        return sum(layer.reformats for layer in self.layers)

    @property
    def conversions(self) -> int:
        """Number of Q/DQ that were not fused into a product."""
        return sum(layer.converts for layer in self.layers)


def read_layers(text: str) -> EngineLayers:
    """Parse the inspector's JSON.

    Args:
        text: the JSON.

    Raises:
        EngineError: it is something else, or holds nothing but layer names.
    """
    try:
        raw = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise _foreign(json_problem(text, error)) from error
    if not isinstance(raw, dict):
        raise _foreign("it is not a JSON object")
    layers = _list(raw, "Layers", dict | str)
    if any(isinstance(layer, str) for layer in layers):
        raise EngineError(
            "the engine holds only the names of its layers: it was built without detailed "
            f"profiling verbosity. {REBUILD}"
        )
    tensors = []
    if raw.get("Bindings"):
        tensors = _list(raw, "Bindings", str)
    elif "I/O Tensors" in raw:
        tensors = [str(tensor.get("Name", "")) for tensor in _list(raw, "I/O Tensors", dict)]
    return EngineLayers(tuple(tensors), tuple(map(_layer, layers)))


def load_layers(path: Path) -> EngineLayers:
    """Read the inspector's JSON from a file.

    Args:
        path: the file, as the build writes it beside the engine.

    Raises:
        EngineError: it cannot be read, or is something else.
    """
    try:
        text = read_bytes(path, MAX_BYTES).decode("utf-8")
    except OSError as error:
        raise EngineError(f"{path} cannot be read: {error.strerror or error}. {REBUILD}") from error
    except UnicodeDecodeError as error:
        raise EngineError(f"{path} is not text in UTF-8. {REBUILD}") from error
    return read_layers(text)


def _list(raw: dict[str, Any], key: str, item: Any) -> list[Any]:
    """A list under a key, whose items are of one type."""
    values = raw.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, item) for value in values):
        raise _foreign(f"{key!r} is not a list as it writes one")
    if key == "Layers" and key not in raw:
        raise _foreign(f"there is no {key!r}")
    return values


def _foreign(reason: str) -> EngineError:
    return EngineError(f"this is not what TensorRT's inspector writes: {reason}. {REBUILD}")


def _layer(raw: dict[str, Any]) -> EngineLayer:
    name = str(raw.get("Name", ""))
    nodes = _ONNX_NODE.findall(str(raw.get("Metadata", "")))
    if not nodes:
        nodes = re.split(r"\s*\+\s*", name)
    return EngineLayer(
        name=name,
        kind=str(raw.get("LayerType", "")),
        inputs=tuple(map(_type, _list(raw, "Inputs", dict))),
        outputs=tuple(map(_type, _list(raw, "Outputs", dict))),
        nodes=tuple(nodes),
    )


def _type(tensor: dict[str, Any]) -> str:
    for key in _TYPE_KEYS:
        description = str(tensor.get(key, "")).lower()
        for element_type, names in _TYPE_NAMES:
            if any(name in description for name in names):
                return element_type
    return "unknown"


def _narrowest(element_types: tuple[str, ...]) -> str:
    for element_type in PRODUCT_TYPES:
        if element_type in element_types:
            return element_type
    return "unknown"


def _is_conversion(node: str) -> bool:
    """True for the Q/DQ of a product; the halting head, ``head.q``, is none."""
    return bool(_CALL_SITE.match(node)) and node.endswith((".q", ".dq", ".w"))


def _is_product(node: str) -> bool:
    """The products of SwiGLU's gate are element-wise and are not quantized."""
    gates = (".mlp.product", ".mlp_t.product")
    return node.endswith(_PRODUCT) and not node.endswith(gates)
