"""The shapes of a step graph's values, computed from its inputs and constants.

A few operators of a few bytes can ask for terabytes: a constant that says how far to pad, a
tensor concatenated with itself forty times, a product of a column and a row. So every operator
must have a rule of :mod:`trm_edge.operator_shapes`, and the results are held to limits before
anything is allocated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.config import ModelConfig
from trm_edge.operator_call import Node, OperatorCall, OperatorResult, Shape, ShapeError
from trm_edge.operator_shapes import MAX_LIVE_ELEMENTS, shape_rule
from trm_edge.step import CarryType, step_inputs, step_outputs

MAX_OPERATIONS = 1 << 41  # multiplications and elements of one step of one slot
_MAX_AXES = 8


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


def _apply(node: Node, shapes: Mapping[str, Shape], constants: Constants) -> OperatorResult:
    rule = shape_rule(node)
    input_shapes: list[Shape] = []
    for name in node.inputs:
        shape = shapes.get(name, constants.shapes.get(name, ()))
        if name and name not in shapes and name not in constants.shapes:
            raise ShapeError(f"{node.operator} takes {name!r}, which nothing before it computes")
        input_shapes.append(shape)
    integers = tuple(constants.integers.get(name) for name in node.inputs)
    try:
        result = rule(OperatorCall(node, tuple(input_shapes), integers))
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


def _listed(shapes: Mapping[str, Sequence[int | None]]) -> str:
    listed = []
    for name, shape in shapes.items():
        axes = ", ".join("B" if axis is None else str(axis) for axis in shape)
        listed.append(f"{name} ({axes})")
    return "; ".join(listed) or "none"
