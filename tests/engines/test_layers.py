from __future__ import annotations

import json
from typing import Any

import pytest

from trm_edge.engines.layers import PRODUCT_TYPES, read_layers
from trm_edge.errors import EngineError


def nodes(*names: str) -> str:
    return "\x1e".join(f"[ONNX Layer: {name}]" for name in names)


def tensors(key: str, *element_types: str) -> list[dict[str, Any]]:
    return [
        {"Name": f"t{index}", "Dimensions": [8, 97, 512], key: element_type}
        for index, element_type in enumerate(element_types)
    ]


TENSORRT_10 = {
    "Layers": [
        {
            "Name": "Reformatting CopyNode for Input Tensor 0 to gemm",
            "LayerType": "Reformat",
            "Inputs": tensors("Format/Datatype", "Row major linear FP16 format"),
            "Outputs": tensors("Format/Datatype", "Row major Int8 format"),
        },
        {
            "Name": "__myl_QuantMatMul_1",
            "LayerType": "gemm",
            "Inputs": tensors("Format/Datatype", "Int8", "Int8", "Float"),
            "Outputs": tensors("Format/Datatype", "Half"),
            "Metadata": nodes("H0.L0.0.mlp.down.dq", "H0.L0.0.mlp.down.product"),
        },
        {
            "Name": "__myl_MatMul_2",
            "LayerType": "gemm",
            "Inputs": tensors("Format/Datatype", "Half", "Half"),
            "Outputs": tensors("Format/Datatype", "Half"),
            "Metadata": nodes("H0.L1.0.mlp.down.product"),
        },
        {
            "Name": "__myl_Quant_3",
            "LayerType": "kgen",
            "Inputs": tensors("Format/Datatype", "Half"),
            "Outputs": tensors("Format/Datatype", "Int8"),
            "Metadata": nodes("H0.L1.0.mlp.gu.q"),
        },
        {
            "Name": "__myl_Mul_4",
            "LayerType": "kgen",
            "Inputs": tensors("Format/Datatype", "Half", "Half"),
            "Outputs": tensors("Format/Datatype", "Half"),
            "Metadata": nodes("H0.L0.0.mlp.product"),
        },
    ],
    "Bindings": ["tokens", "reset"],
}
TENSORRT_11 = {
    "Layers": [
        {
            "Name": "H1.0.mlp.gu.dq + H1.0.mlp.gu.product",
            "LayerType": "MatrixMultiply",
            "Inputs": tensors("DataType", "FP8", "FP8"),
            "Outputs": tensors("DataType", "FP16"),
        }
    ],
    "I/O Tensors": [
        {"Name": "tokens", "IOMode": "Input", "DataType": "Int32", "Dimensions": [-1, 81]},
        {"Name": "logits", "IOMode": "Output", "DataType": "Float", "Dimensions": [-1, 81, 11]},
    ],
}


def test_tensorrt_10() -> None:
    engine = read_layers(json.dumps(TENSORRT_10))
    assert engine.tensors == ("tokens", "reset")
    assert engine.products() == {"0.mlp.down": {"int8": 1, "float16": 1}}
    assert (engine.reformats, engine.conversions) == (1, 1)
    assert engine.layers[0].inputs == ("float16",)
    assert engine.layers[0].outputs == ("int8",)


def test_tensorrt_11() -> None:
    engine = read_layers(json.dumps(TENSORRT_11))
    assert engine.tensors == ("tokens", "logits")
    assert engine.products() == {"0.mlp.gu": {"fp8": 1}}
    assert (engine.reformats, engine.conversions) == (0, 0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not what TensorRT's inspector writes"),
        ("[]", "not what TensorRT's inspector writes"),
        ('{"Bindings": []}', "there is no 'Layers'"),
        ('{"Layers": ["gemm_1", "gemm_2"]}', "holds only the names of its layers"),
    ],
)
def test_other_text_is_refused(text: str, reason: str) -> None:
    with pytest.raises(EngineError, match=reason):
        read_layers(text)


def test_the_narrowest_input_of_a_call_site_counts() -> None:
    layer = {
        "Name": "L0.0.mlp.down.product",
        "Inputs": tensors("DataType", "FP16", "Int8", "Int32"),
        "Outputs": [],
    }
    names = ["L0.0.mlp.down.product", "L1.0.mlp.down.product"]
    layers = [{**layer, "Name": name} for name in names]
    engine = read_layers(json.dumps({"Layers": layers}))
    assert engine.products() == {"0.mlp.down": {"int8": 2}}
    assert PRODUCT_TYPES.index("int8") < PRODUCT_TYPES.index("float16")
