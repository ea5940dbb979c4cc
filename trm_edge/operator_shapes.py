"""Shape rules of the operators that trm-edge exports.

Whatever decides a shape must be a constant.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from trm_edge.operator_call import (
    Node,
    OperatorCall,
    OperatorResult,
    Shape,
    ShapeError,
    axis_index,
)

ONNXRUNTIME_DOMAIN = "com.microsoft"
MAX_LIVE_ELEMENTS = 1 << 28  # of all values that one slot needs at the same time


def shape_rule(node: Node) -> Callable[[OperatorCall], OperatorResult]:
    """Look up how the shapes of an operator's outputs follow from its inputs.

    Args:
        node: the operator.

    Raises:
        ShapeError: no graph of trm-edge has this operator.
    """
    rule = _RULES.get((node.domain, node.operator))
    if rule is None:
        name = f"{node.domain}.{node.operator}" if node.domain else node.operator
        raise ShapeError(f"it has the operator {name!r}, which no export of trm-edge uses")
    return rule


def _same(call: OperatorCall) -> OperatorResult:
    return OperatorResult((call.shapes[0],))


def _normalised(call: OperatorCall) -> OperatorResult:
    """A sum and its RMS norm: the norm, two statistics that are not used, the sum."""
    shape = _broadcast(call.shapes[0], call.shapes[1])
    return OperatorResult((shape, shape, shape, shape))


def _elementwise(call: OperatorCall) -> OperatorResult:
    shape = call.shapes[0]
    for operand in call.shapes[1:]:
        shape = _broadcast(shape, operand)
    return OperatorResult((shape,))


def _matmul(call: OperatorCall) -> OperatorResult:
    left, right = call.shapes
    if len(left) < 2 or len(right) < 2 or left[-1] != right[-2]:
        raise ShapeError(f"its MatMul of {left} and {right} has no result")
    shape = (*_broadcast(left[:-2], right[:-2]), left[-2], right[-1])
    return OperatorResult((shape,), prod(shape) * left[-1])


def _gemm(call: OperatorCall) -> OperatorResult:
    (rows, inner), (second_inner, columns) = call.shapes[:2]
    if call.integer("transA", 0):
        rows, inner = inner, rows
    if call.integer("transB", 0):
        second_inner, columns = columns, second_inner
    shape = (rows, columns)
    fits = all(_broadcast(shape, bias) == shape for bias in call.shapes[2:])
    if inner != second_inner or not fits:
        raise ShapeError(f"its Gemm of {', '.join(map(str, call.shapes))} has no result")
    return OperatorResult((shape,), prod(shape) * inner)


def _attention(call: OperatorCall) -> OperatorResult:
    query, key, value = call.shapes
    heads = call.integer("num_heads", 0)
    if heads < 1 or query != key or key != value or len(query) != 3 or query[2] % heads:
        raise ShapeError(f"its attention of {query}, {key}, {value} has no result")
    scores = query[0] * heads * query[1] * query[1]
    if scores > query[0] * MAX_LIVE_ELEMENTS:
        raise ShapeError(f"its attention has {scores} scores")
    return OperatorResult((query,), 2 * prod(query) * query[1] + scores)


def _transpose(call: OperatorCall) -> OperatorResult:
    shape = call.shapes[0]
    order = call.node.attributes.get("perm", list(reversed(range(len(shape)))))
    if sorted(order) != list(range(len(shape))):
        raise ShapeError(f"its Transpose of {shape} has the order {order}")
    return OperatorResult((tuple(shape[axis] for axis in order),))


def _reshape(call: OperatorCall) -> OperatorResult:
    shape = call.shapes[0]
    wanted = call.constant(1)
    if wanted is None or call.integer("allowzero", 0):
        raise ShapeError("its Reshape has no shape")
    axes = [shape[index] if axis == 0 else axis for index, axis in enumerate(wanted)]
    if axes.count(-1) == 1:
        axes[axes.index(-1)] = prod(shape) // -prod(axes)
    if prod(axes) != prod(shape) or any(axis < 1 for axis in axes):
        raise ShapeError(f"its Reshape of {shape} to {wanted} has no result")
    return OperatorResult((tuple(axes),))


def _concat(call: OperatorCall) -> OperatorResult:
    first = call.shapes[0]
    axis = call.axis(0)
    for shape in call.shapes[1:]:
        if _replaced(shape, axis, 0) != _replaced(first, axis, 0):
            raise ShapeError(f"its Concat of {first} and {shape} has no result")
    return OperatorResult((_replaced(first, axis, sum(shape[axis] for shape in call.shapes)),))


def _split(call: OperatorCall) -> OperatorResult:
    shape = call.shapes[0]
    axis = call.axis(0)
    parts = call.constant(1)
    if parts is None:
        count = len(call.node.outputs)
        if shape[axis] % count:
            raise ShapeError(f"its Split of {shape} into {count} is not even")
        parts = [shape[axis] // count] * count
    if sum(parts) != shape[axis] or any(part < 1 for part in parts):
        raise ShapeError(f"its Split of {shape} has the parts {parts}")
    return OperatorResult(tuple(_replaced(shape, axis, part) for part in parts))


def _slice(call: OperatorCall) -> OperatorResult:
    shape = call.shapes[0]
    starts = call.constant(1)
    ends = call.constant(2)
    if starts is None or ends is None:
        raise ShapeError("its Slice has no bounds")
    axes = call.constant(3) or list(range(len(starts)))
    steps = call.constant(4) or [1] * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        index = axis_index(axis, len(shape))
        kept = len(range(*slice(start, end, step).indices(shape[index])))
        if kept < 1:
            raise ShapeError(f"its Slice of {shape} keeps nothing")
        shape = _replaced(shape, index, kept)
    return OperatorResult((shape,))


def _pad(call: OperatorCall) -> OperatorResult:
    shape = call.shapes[0]
    pads = call.constant(1)
    if pads is None:
        raise ShapeError("its Pad has no widths")
    axes = call.constant(3) or list(range(len(shape)))
    if len(pads) != 2 * len(axes) or any(width < 0 for width in pads):
        raise ShapeError(f"its Pad of {shape} has the widths {pads}")
    for place, axis in enumerate(axes):
        index = axis_index(axis, len(shape))
        width = shape[index] + pads[place] + pads[place + len(axes)]
        shape = _replaced(shape, index, width)
    return OperatorResult((shape,))


def _gather(call: OperatorCall) -> OperatorResult:
    shape, indices = call.shapes
    axis = call.axis(0)
    return OperatorResult(((*shape[:axis], *indices, *shape[axis + 1 :]),))


def _unsqueeze(call: OperatorCall) -> OperatorResult:
    axes = call.constant(1)
    if axes is None:
        raise ShapeError("its Unsqueeze has no axes")
    shape = list(call.shapes[0])
    total = len(shape) + len(axes)
    for axis in sorted(axis_index(axis, total) for axis in axes):
        shape.insert(axis, 1)
    if len(shape) != total:
        raise ShapeError("its Unsqueeze repeats an axis")
    return OperatorResult((tuple(shape),))


def _reduce(call: OperatorCall) -> OperatorResult:
    shape = call.shapes[0]
    axes = call.constant(1)
    if axes is None:
        axes = list(range(len(shape)))
    indices = {axis_index(axis, len(shape)) for axis in axes}
    if call.integer("keepdims", 1):
        kept = tuple(1 if index in indices else axis for index, axis in enumerate(shape))
    else:
        kept = tuple(axis for index, axis in enumerate(shape) if index not in indices)
    return OperatorResult((kept,), prod(shape))


def _broadcast(left: Shape, right: Shape) -> Shape:
    length = max(len(left), len(right))
    left = (1,) * (length - len(left)) + left
    right = (1,) * (length - len(right)) + right
    for one, two in zip(left, right, strict=True):
        if one != two and 1 not in (one, two):
            raise ShapeError(f"shapes {left} and {right} do not go together")
    return tuple(max(pair) for pair in zip(left, right, strict=True))


def _replaced(shape: Shape, axis: int, size: int) -> Shape:
    return (*shape[:axis], size, *shape[axis + 1 :])


_SAME_SHAPE = (
    "Abs",
    "Cast",
    "DequantizeLinear",
    "Identity",
    "QuantizeLinear",
    "Reciprocal",
    "Sigmoid",
    "Softmax",
    "Sqrt",
)
_ELEMENTWISE = ("Add", "Div", "Max", "Min", "Mul", "Pow", "Sub", "Where")
_RULES: dict[tuple[str, str], Callable[[OperatorCall], OperatorResult]] = {
    ("", "Concat"): _concat,
    ("", "Gather"): _gather,
    ("", "Gemm"): _gemm,
    ("", "MatMul"): _matmul,
    ("", "Pad"): _pad,
    ("", "ReduceMax"): _reduce,
    ("", "ReduceMean"): _reduce,
    ("", "Reshape"): _reshape,
    ("", "Slice"): _slice,
    ("", "Split"): _split,
    ("", "Transpose"): _transpose,
    ("", "Unsqueeze"): _unsqueeze,
    (ONNXRUNTIME_DOMAIN, "MultiHeadAttention"): _attention,
    (ONNXRUNTIME_DOMAIN, "QuickGelu"): _same,
    (ONNXRUNTIME_DOMAIN, "RotaryEmbedding"): _same,
    (ONNXRUNTIME_DOMAIN, "SkipSimplifiedLayerNormalization"): _normalised,
}
for _name in _SAME_SHAPE:
    _RULES["", _name] = _same
for _name in _ELEMENTWISE:
    _RULES["", _name] = _elementwise
