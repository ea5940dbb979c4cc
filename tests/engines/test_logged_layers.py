"""Layers from TensorRT-RTX's log: lines as version 1.1 writes them for SM89, shortened."""

from __future__ import annotations

from trm_edge.engines.compiler import BuildLog, LogLine
from trm_edge.engines.layers import read_layers
from trm_edge.engines.logged_layers import layers_from_log

LAYERS = """\
Layers:
Name: __mye18126_0_myl0_0, LayerType: shape_call, Inputs: [], Constants: [], Outputs: [], \
TacticName: , StreamId: 0, Metadata:
Name: H0.L0.0.mlp.gu.product_myl0_8, LayerType: gemm, Inputs: [ { Name: H0.L0.0.mlp.gu.q.1_myl0, \
Dimensions: [-1,128], Strides: [128,1], StrideOrder: [1,0], Datatype: Int8, Format: (Linear) Row \
major linear format }], Constants: [ { Name: __mye43775_dconst_myl0, Dimensions: [128,1024], \
Strides: [1024,1], StrideOrder: [1,0], Datatype: Int8, Format: (Linear) Row major linear format \
}], Outputs: [ { Name: __myln_k_arg__bb1_24_myl0, Dimensions: [-1,1024], Strides: [1024,1], \
StrideOrder: [1,0], Datatype: Half, Format: (Linear) Row major linear format }], TacticName: \
__myelin_CASK_STUB, StreamId: 0, Metadata: [ONNX Layer: H0.L0.0.mlp.gu.product][ONNX Layer: \
H0.L0.0.mlp.gu.dq][ONNX Layer: H1.H.0.mlp.gu.w]
Name: __myl_MulReshMul_myl0_11, LayerType: kgen, Inputs: [ { Name: __myln_k_arg__bb1_28_myl0, \
Dimensions: [-1,82,1], Strides: [82,1,1], StrideOrder: [2,1,0], Datatype: Half, Format: (Linear) \
Row major linear format }, { Name: __myln_k_arg__bb1_29_myl0, Dimensions: [-1,128], Strides: \
[128,1], StrideOrder: [1,0], Datatype: Half, Format: (Linear) Row major linear format }], \
Constants: [], Outputs: [ { Name: __myln_k_arg__bb1_30_myl0, Dimensions: [-1,82,128], Strides: \
[10496,128,1], StrideOrder: [2,1,0], Datatype: Half, Format: (Linear) Row major linear format }], \
TacticName: __myl_MulReshMul_0xbc55, StreamId: 0, Metadata: [ONNX Layer: H0.L0.0.mlp.gu.product]\
[ONNX Layer: H0.L0.0.mlp.gu.scaled]
Name: __myl_FcAdd_myl0_217, LayerType: runtime_fusion, Inputs: [ { Name: __mye26189.1_myl0, \
Dimensions: [-1,128], Strides: [128,1], StrideOrder: [1,0], Datatype: Float, Format: (Linear) Row \
major linear format }], Constants: [], Outputs: [ { Name: __myln_k_arg__bb1_333_myl0, Dimensions: \
[-1,2], Strides: [2,1], StrideOrder: [1,0], Datatype: Float, Format: (Linear) Row major linear \
format }], TacticName: , StreamId: 0, Metadata: [ONNX Layer: head.q]

I/O Tensors:
 Name: tokens, IOMode: Input, DataType: Int32, Dimensions: [-1,81], Location: Device
 Name: q_halt, IOMode: Output, DataType: Float, Dimensions: [-1], Location: Device
"""


def test_a_log_without_layers_gives_none() -> None:
    lines = [LogLine("info", LAYERS), LogLine("verbose", "Layers are fused")]
    assert layers_from_log(BuildLog(lines)) is None


def test_layers_read_as_those_of_the_inspector() -> None:
    log = BuildLog([LogLine("verbose", LAYERS), LogLine("verbose", "Adding 1 engine to the plan")])
    text = layers_from_log(log)
    assert text is not None
    engine = read_layers(text)
    assert engine.tensors == ("tokens", "q_halt")
    assert [layer.kind for layer in engine.layers] == [
        "shape_call",
        "gemm",
        "kgen",
        "runtime_fusion",
    ]
    product = engine.layers[1]
    assert (product.inputs, product.outputs) == (("int8",), ("float16",))
    assert product.nodes == (
        "H0.L0.0.mlp.gu.product",
        "H0.L0.0.mlp.gu.dq",
        "H1.H.0.mlp.gu.w",
    )


def test_the_scales_of_an_integer_product_are_no_second_product() -> None:
    text = layers_from_log(BuildLog([LogLine("verbose", LAYERS)]))
    assert text is not None
    engine = read_layers(text)
    assert engine.products() == {"0.mlp.gu": {"int8": 1}}


def test_the_halting_head_is_no_conversion() -> None:
    text = layers_from_log(BuildLog([LogLine("verbose", LAYERS)]))
    assert text is not None
    assert read_layers(text).conversions == 0


def test_the_last_engine_of_a_log_counts() -> None:
    earlier = LAYERS.replace("Datatype: Int8", "Datatype: Half")
    log = BuildLog([LogLine("verbose", earlier), LogLine("verbose", LAYERS)])
    text = layers_from_log(log)
    assert text is not None
    assert read_layers(text).products() == {"0.mlp.gu": {"int8": 1}}
