"""What each TensorRT's ONNX parser reads, checked for the versions that no test can run.

The list is that of the parser's own documentation (``onnx-tensorrt``, docs/operators.md, 8.4): no
later version has dropped one. What came after is listed with its version, as far as a step graph
could ever use it.
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
SINCE = {
    "Attention": (10, 14),
    "RMSNormalization": (10, 15),
    "RotaryEmbedding": (10, 15),
    "Swish": (11, 0),
}
OPSETS = (((10, 15), 24), ((10, 0), 20))  # the highest that is read, from a version on
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
    """What the parser of a TensorRT version would refuse, in words; empty where it reads all.

    Args:
        version: like ``"10.3"``, 10.0 or newer.
    """
    here = tuple(int(part) for part in version.split(".")[:2])
    highest = next(opset for since, opset in OPSETS if here >= since)
    problems = [
        f"opset {entry.version}, and it reads up to {highest}"
        for entry in graph.opset_import
        if entry.domain in ("", "ai.onnx") and entry.version > highest
    ]
    for kind in sorted({(node.domain, node.op_type) for node in graph.graph.node}):
        domain, name = kind
        since = SINCE.get(name)
        if domain not in ("", "ai.onnx"):
            problems.append(f"the operator {domain}.{name}, and it reads standard ONNX")
        elif since is not None and here < since:
            problems.append(f"the operator {name}, which it reads from {since[0]}.{since[1]} on")
        elif since is None and name not in OPERATORS:
            problems.append(f"the operator {name}")
    foreign = {tensor.data_type for tensor in graph.graph.initializer} - _TYPES
    problems += [f"constants of {TensorProto.DataType.Name(kind)}" for kind in sorted(foreign)]
    return problems


def require_readable(graph: onnx.ModelProto, profile: TargetProfile) -> None:
    """Refuse a graph that the oldest TensorRT of a target could not read.

    Raises:
        ExportError: lists what it would stumble over.
    """
    oldest = profile.tensorrt[0]
    problems = unreadable(graph, oldest)
    if problems:
        raise ExportError(
            f"{profile.name} may run TensorRT {oldest}, whose parser would refuse this graph: it "
            f"has {'; '.join(problems)}."
        )
