"""The shapes of a step graph's values, computed from its inputs and constants.

A few operators of a few bytes can ask for terabytes: a constant that says how far to pad, a
tensor concatenated with itself forty times, a product of a column and a row. So every operator
that trm-edge exports has a rule here, whatever decides a shape must be a constant, and the
results are held to limits before anything is allocated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trm_edge.config import ModelConfig
from trm_edge.step import CarryType, step_inputs, step_outputs

ONNXRUNTIME_DOMAIN = "com.microsoft"
MAX_LIVE_ELEMENTS = 1 << 28  # of all values that one slot needs at the same time
MAX_OPERATIONS = 1 << 41  # multiplications and elements of one step of one slot
_MAX_AXES = 8

Shape = tuple[int, ...]


class ShapeError(Exception):
    """A graph breaks the rules; the message says which."""


class Node(NamedTuple):
    """An operator of a graph.

    Args:
        operator: its name in ONNX.
        domain: of the operator; empty for standard ONNX.
        inputs: names of the values it takes; an empty one is left out.
        outputs: names of the values it computes.
        attributes: its integers, lists of integers and texts, by name.
    """

    operator: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass
class Constants:
    """The constants of a graph.

    Args:
        shapes: shape of each, by name.
        integers: the values of small ones of type int64.
        ranges: the smallest and the largest value of each of type int32.
        int8: the values of matrices of type int8, not copied.
        vectors: the values of vectors of a float type, not copied.
    """

    shapes: dict[str, Shape] = field(default_factory=dict)
    integers: dict[str, list[int]] = field(default_factory=dict)
    ranges: dict[str, tuple[int, int]] = field(default_factory=dict)
    int8: dict[str, NDArray[np.int8]] = field(default_factory=dict)
    vectors: dict[str, NDArray[Any]] = field(default_factory=dict)


class _Result(NamedTuple):
    """Shapes of an operator's outputs, and the operations to compute them."""

    shapes: tuple[Shape, ...]
    operations: int = 0


class _Call(NamedTuple):
    """A node with the shapes of its inputs."""

    node: Node
    shapes: tuple[Shape, ...]
    integers: tuple[list[int] | None, ...]

    def integer(self, name: str, default: int) -> int:
        value = self.node.attributes.get(name, default)
        if not isinstance(value, int):
            raise ShapeError(f"{name} is not an integer")
        return value

    def axis(self, default: int, axes: int | None = None) -> int:
        """The attribute ``axis``, counted from the front."""
        return _axis(self.integer("axis", default), axes or len(self.shapes[0]))

    def constant(self, index: int) -> list[int] | None:
        """An input that decides the result's shape; None where it is left out."""
        if index >= len(self.node.inputs) or not self.node.inputs[index]:
            return None
        values = self.integers[index]
        if values is None:
            raise ShapeError(f"its shape depends on {self.node.inputs[index]!r}, not a constant")
        return values


def check_shapes(
    nodes: Sequence[Node],
    constants: Constants,
    inputs: Mapping[str, tuple[int | None, ...]],
    outputs: Sequence[str],
    config: ModelConfig,
    carry: CarryType,
    *,
    noise: bool = False,
) -> None:
    """Refuse a graph whose shapes break the step contract or the limits.

    Args:
        nodes: in the order in which they are computed.
        constants: the graph's.
        inputs: declared shapes by name; None is the batch.
        outputs: names of the graph's results.
        config: the model.
        carry: element type of the carries.
        noise: the graph must have inputs for noise.

    Raises:
        ShapeError: says what is wrong.
    """
    expected_inputs = {spec.name: spec.shape for spec in step_inputs(config, carry, noise=noise)}
    if dict(inputs) != expected_inputs:
        raise ShapeError(
            f"it breaks the step contract in its inputs: expected {_listed(expected_inputs)}, but "
            f"found {_listed(inputs)}"
        )
    sizes = []
    for slots in (1, 2):
        shapes, operations = _infer(nodes, constants, inputs, slots)
        sizes.append({name: prod(shape) for name, shape in shapes.items()})
        if slots == 1 and operations > MAX_OPERATIONS:
            raise ShapeError(f"a step takes {operations} operations, and at most {MAX_OPERATIONS}")
        for spec in step_outputs(config, carry):
            expected = tuple(slots if axis is None else axis for axis in spec.shape)
            if spec.name not in outputs or shapes.get(spec.name) != expected:
                raise ShapeError(
                    f"it breaks the step contract: its result {spec.name} must be {expected} for "
                    f"{slots} slots, but is {shapes.get(spec.name, 'missing')}"
                )
    for name, size in sizes[1].items():
        if size > 2 * sizes[0][name]:
            raise ShapeError(f"its value {name!r} grows faster than the number of slots")
    live = _most_live(nodes, sizes[0], set(outputs))
    if live > MAX_LIVE_ELEMENTS:
        raise ShapeError(
            f"a slot needs {live} numbers at the same time, and at most {MAX_LIVE_ELEMENTS}"
        )


def _infer(
    nodes: Sequence[Node],
    constants: Constants,
    inputs: Mapping[str, tuple[int | None, ...]],
    slots: int,
) -> tuple[dict[str, Shape], int]:
    """Shapes of all values but constants, and the operations of a step, for a number of slots."""
    shapes: dict[str, Shape] = {}
    for name, axes in inputs.items():
        shapes[name] = tuple(slots if axis is None else axis for axis in axes)
    total = 0
    for node in nodes:
        result = _apply(node, shapes, constants)
        total += result.operations
        for name, shape in zip(node.outputs, result.shapes, strict=False):
            total += prod(shape)
            if not name:
                continue
            if name in shapes or name in constants.shapes:
                raise ShapeError(f"it computes {name!r} twice")
            if len(shape) > _MAX_AXES or prod(shape) > slots * MAX_LIVE_ELEMENTS:
                raise ShapeError(f"its value {name!r} has the shape {shape}")
            shapes[name] = shape
    return shapes, total


def _apply(node: Node, shapes: Mapping[str, Shape], constants: Constants) -> _Result:
    rule = _RULES.get((node.domain, node.operator))
    if rule is None:
        name = f"{node.domain}.{node.operator}" if node.domain else node.operator
        raise ShapeError(f"it has the operator {name!r}, which no export of trm-edge uses")
    input_shapes: list[Shape] = []
    for name in node.inputs:
        shape = shapes.get(name, constants.shapes.get(name, ()))
        if name and name not in shapes and name not in constants.shapes:
            raise ShapeError(f"{node.operator} takes {name!r}, which nothing before it computes")
        input_shapes.append(shape)
    integers = tuple(constants.integers.get(name) for name in node.inputs)
    try:
        result = rule(_Call(node, tuple(input_shapes), integers))
    except (IndexError, ValueError, TypeError, ZeroDivisionError) as error:
        raise ShapeError(
            f"its {node.operator} of {', '.join(map(str, input_shapes))} has no result"
        ) from error
    if len(node.outputs) > len(result.shapes):
        raise ShapeError(f"its {node.operator} has {len(node.outputs)} results")
    return result


def _most_live(nodes: Sequence[Node], sizes: Mapping[str, int], outputs: set[str]) -> int:
    """The most elements that exist at once, if each value goes after its last use."""
    last_use: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in (*node.inputs, *node.outputs):
            last_use[name] = index
    ends: dict[int, list[str]] = {}
    for name, index in last_use.items():
        if name in sizes and name not in outputs:
            ends.setdefault(index, []).append(name)
    computed = {name for node in nodes for name in node.outputs}
    live = sum(size for name, size in sizes.items() if name not in computed)
    most = live
    for index, node in enumerate(nodes):
        live += sum(sizes.get(name, 0) for name in node.outputs)
        most = max(most, live)
        live -= sum(sizes[name] for name in ends.get(index, []))
    return most


def _same(call: _Call) -> _Result:
    return _Result((call.shapes[0],))


def _normalised(call: _Call) -> _Result:
    """A sum and its RMS norm: the norm, two statistics that are not used, the sum."""
    shape = _broadcast(call.shapes[0], call.shapes[1])
    return _Result((shape, shape, shape, shape))


def _elementwise(call: _Call) -> _Result:
    shape = call.shapes[0]
    for operand in call.shapes[1:]:
        shape = _broadcast(shape, operand)
    return _Result((shape,))


def _matmul(call: _Call) -> _Result:
    left, right = call.shapes
    if len(left) < 2 or len(right) < 2 or left[-1] != right[-2]:
        raise ShapeError(f"its MatMul of {left} and {right} has no result")
    shape = (*_broadcast(left[:-2], right[:-2]), left[-2], right[-1])
    return _Result((shape,), prod(shape) * left[-1])


def _gemm(call: _Call) -> _Result:
    (rows, inner), (second_inner, columns) = call.shapes[:2]
    if call.integer("transA", 0):
        rows, inner = inner, rows
    if call.integer("transB", 0):
        second_inner, columns = columns, second_inner
    shape = (rows, columns)
    fits = all(_broadcast(shape, bias) == shape for bias in call.shapes[2:])
    if inner != second_inner or not fits:
        raise ShapeError(f"its Gemm of {', '.join(map(str, call.shapes))} has no result")
    return _Result((shape,), prod(shape) * inner)


def _attention(call: _Call) -> _Result:
    query, key, value = call.shapes
    heads = call.integer("num_heads", 0)
    if heads < 1 or query != key or key != value or len(query) != 3 or query[2] % heads:
        raise ShapeError(f"its attention of {query}, {key}, {value} has no result")
    scores = query[0] * heads * query[1] * query[1]
    if scores > query[0] * MAX_LIVE_ELEMENTS:
        raise ShapeError(f"its attention has {scores} scores")
    return _Result((query,), 2 * prod(query) * query[1] + scores)


def _transpose(call: _Call) -> _Result:
    shape = call.shapes[0]
    order = call.node.attributes.get("perm", list(reversed(range(len(shape)))))
    if sorted(order) != list(range(len(shape))):
        raise ShapeError(f"its Transpose of {shape} has the order {order}")
    return _Result((tuple(shape[axis] for axis in order),))


def _reshape(call: _Call) -> _Result:
    shape = call.shapes[0]
    wanted = call.constant(1)
    if wanted is None or call.integer("allowzero", 0):
        raise ShapeError("its Reshape has no shape")
    axes = [shape[index] if axis == 0 else axis for index, axis in enumerate(wanted)]
    if axes.count(-1) == 1:
        axes[axes.index(-1)] = prod(shape) // -prod(axes)
    if prod(axes) != prod(shape) or any(axis < 1 for axis in axes):
        raise ShapeError(f"its Reshape of {shape} to {wanted} has no result")
    return _Result((tuple(axes),))


def _concat(call: _Call) -> _Result:
    first = call.shapes[0]
    axis = call.axis(0)
    for shape in call.shapes[1:]:
        if _replaced(shape, axis, 0) != _replaced(first, axis, 0):
            raise ShapeError(f"its Concat of {first} and {shape} has no result")
    return _Result((_replaced(first, axis, sum(shape[axis] for shape in call.shapes)),))


def _split(call: _Call) -> _Result:
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
    return _Result(tuple(_replaced(shape, axis, part) for part in parts))


def _slice(call: _Call) -> _Result:
    shape = call.shapes[0]
    starts = call.constant(1)
    ends = call.constant(2)
    if starts is None or ends is None:
        raise ShapeError("its Slice has no bounds")
    axes = call.constant(3) or list(range(len(starts)))
    steps = call.constant(4) or [1] * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        index = _axis(axis, len(shape))
        kept = len(range(*slice(start, end, step).indices(shape[index])))
        if kept < 1:
            raise ShapeError(f"its Slice of {shape} keeps nothing")
        shape = _replaced(shape, index, kept)
    return _Result((shape,))


def _pad(call: _Call) -> _Result:
    shape = call.shapes[0]
    pads = call.constant(1)
    if pads is None:
        raise ShapeError("its Pad has no widths")
    axes = call.constant(3) or list(range(len(shape)))
    if len(pads) != 2 * len(axes) or any(width < 0 for width in pads):
        raise ShapeError(f"its Pad of {shape} has the widths {pads}")
    for place, axis in enumerate(axes):
        index = _axis(axis, len(shape))
        width = shape[index] + pads[place] + pads[place + len(axes)]
        shape = _replaced(shape, index, width)
    return _Result((shape,))


def _gather(call: _Call) -> _Result:
    shape, indices = call.shapes
    axis = call.axis(0)
    return _Result(((*shape[:axis], *indices, *shape[axis + 1 :]),))


def _unsqueeze(call: _Call) -> _Result:
    axes = call.constant(1)
    if axes is None:
        raise ShapeError("its Unsqueeze has no axes")
    shape = list(call.shapes[0])
    total = len(shape) + len(axes)
    for axis in sorted(_axis(axis, total) for axis in axes):
        shape.insert(axis, 1)
    if len(shape) != total:
        raise ShapeError("its Unsqueeze repeats an axis")
    return _Result((tuple(shape),))


def _reduce(call: _Call) -> _Result:
    shape = call.shapes[0]
    axes = call.constant(1)
    if axes is None:
        axes = list(range(len(shape)))
    indices = {_axis(axis, len(shape)) for axis in axes}
    if call.integer("keepdims", 1):
        kept = tuple(1 if index in indices else axis for index, axis in enumerate(shape))
    else:
        kept = tuple(axis for index, axis in enumerate(shape) if index not in indices)
    return _Result((kept,), prod(shape))


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


def _axis(axis: int, axes: int) -> int:
    if not -axes <= axis < axes:
        raise ShapeError(f"axis {axis} of {axes}")
    return axis % axes


def _listed(shapes: Mapping[str, Sequence[int | None]]) -> str:
    listed = []
    for name, shape in shapes.items():
        axes = ", ".join("B" if axis is None else str(axis) for axis in shape)
        listed.append(f"{name} ({axes})")
    return "; ".join(listed) or "none"


_RULES: dict[tuple[str, str], Callable[[_Call], _Result]] = {
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
_RULES.update(
    dict.fromkeys(
        [
            ("", name)
            for name in (
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
        ],
        _same,
    )
)
_RULES.update(
    dict.fromkeys(
        [
            ("", name)
            for name in (
                "Add",
                "Div",
                "Max",
                "Min",
                "Mul",
                "Pow",
                "Sub",
                "Where",
            )
        ],
        _elementwise,
    )
)
OPERATORS = tuple(sorted(f"{domain}.{name}".lstrip(".") for domain, name in _RULES))
