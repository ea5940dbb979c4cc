"""Check graphs against the ONNX parsers of TensorRT versions that no test can run.

The operators are those of the parser's own documentation (``onnx-tensorrt``, docs/operators.md,
8.4); no later version has dropped one. Newer operators are listed with the version that brought
them, as far as a step graph could ever use them.
"""

from __future__ import annotations

import onnx
from onnx import TensorProto

from trm_edge.errors import ExportError
from trm_edge.profile import TargetProfile

_NAMES = """
Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization Cast
Ceil Celu Clip Concat Constant ConstantOfShape Conv ConvTranspose Cos Cosh CumSum DepthToSpace
DequantizeLinear Div Dropout Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor Gather
GatherElements GatherND Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GRU
HardSigmoid Identity If InstanceNormalization IsNaN LeakyRelu Less LessOrEqual Log LogSoftmax
Loop LRN LSTM MatMul Max MaxPool Mean Min Mul Neg Not Or Pad Pow PRelu QuantizeLinear Range
ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
ReduceSum ReduceSumSquare Relu Reshape Resize RNN Round Scan ScatterElements ScatterND Selu
Shape Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign Split Sqrt Squeeze Sub Sum Tan
Tanh Tile TopK Transpose Unsqueeze Where Xor
"""
OPERATORS = frozenset(_NAMES.split())
SINCE = {  # TensorRT version that first parses the operator
    "Attention": (10, 14),
    "RMSNormalization": (10, 15),
    "RotaryEmbedding": (10, 15),
    "Swish": (11, 0),
}
OPSETS = (((10, 15), 24), ((10, 0), 20))  # from a TensorRT version on: the highest opset
_STANDARD_DOMAINS = ("", "ai.onnx")
_TYPES = {
    TensorProto.FLOAT,
    TensorProto.FLOAT16,
    TensorProto.BFLOAT16,
    TensorProto.INT8,
    TensorProto.INT32,
    TensorProto.INT64,
    TensorProto.BOOL,
    TensorProto.FLOAT8E4M3FN,
    TensorProto.INT4,
}


def unreadable(graph: onnx.ModelProto, version: str) -> list[str]:
    """List what the parser of a TensorRT version would refuse.

    Args:
        graph: the model.
        version: of TensorRT, like ``"10.3"``; 10.0 or newer.

    Returns:
        One phrase for each problem; empty if the parser reads everything.
    """
    major, minor = version.split(".")[:2]
    parsed = (int(major), int(minor))
    highest = next(opset for since, opset in OPSETS if parsed >= since)
    problems = []
    for entry in graph.opset_import:
        if entry.domain in _STANDARD_DOMAINS and entry.version > highest:
            problems.append(f"opset {entry.version}, but the parser reads up to {highest}")
    for domain, operator in sorted({(node.domain, node.op_type) for node in graph.graph.node}):
        since = SINCE.get(operator)
        if domain not in _STANDARD_DOMAINS:
            problems.append(
                f"the operator {domain}.{operator}, but the parser reads standard ONNX only"
            )
        elif since is not None and parsed < since:
            problems.append(
                f"the operator {operator}, which the parser reads from {since[0]}.{since[1]} on"
            )
        elif since is None and operator not in OPERATORS:
            problems.append(f"the operator {operator}")
    element_types = {tensor.data_type for tensor in graph.graph.initializer}
    for element_type in sorted(element_types - _TYPES):
        problems.append(f"constants of {TensorProto.DataType.Name(element_type)}")
    return problems


def require_readable(graph: onnx.ModelProto, profile: TargetProfile) -> None:
    """Refuse a graph that the target's oldest TensorRT could not parse.

    Args:
        graph: the model.
        profile: the target.

    Raises:
        ExportError: lists what the parser would refuse.
    """
    oldest = profile.tensorrt[0]
    problems = unreadable(graph, oldest)
    if problems:
        raise ExportError(
            f"{profile.name} may run TensorRT {oldest}, whose parser would refuse this graph: it "
            f"has {'; '.join(problems)}."
        )
