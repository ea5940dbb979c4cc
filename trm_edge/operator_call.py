"""An operator of a step graph, as the rules for shapes see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

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


class OperatorResult(NamedTuple):
    """What an operator computes.

    Args:
        shapes: of its outputs.
        operations: multiplications to compute them.
    """

    shapes: tuple[Shape, ...]
    operations: int = 0


class OperatorCall(NamedTuple):
    """An operator and what is known of its inputs.

    Args:
        node: the operator.
        shapes: of its inputs.
        integers: values of its inputs that are small constants of type int64.
    """

    node: Node
    shapes: tuple[Shape, ...]
    integers: tuple[list[int] | None, ...]

    def integer(self, name: str, default: int) -> int:
        """Read an attribute that must be an integer.

        Args:
            name: of the attribute.
            default: where the node has none of this name.

        Raises:
            ShapeError: it is no integer.
        """
        value = self.node.attributes.get(name, default)
        if not isinstance(value, int):
            raise ShapeError(f"{name} is not an integer")
        return value

    def axis(self, default: int, axes: int | None = None) -> int:
        """Read the attribute ``axis``, counted from the front.

        Args:
            default: where the node has no such attribute.
            axes: number of axes; by default those of the first input.

        Raises:
            ShapeError: there is no such axis.
        """
        return axis_index(self.integer("axis", default), axes or len(self.shapes[0]))

    def constant(self, index: int) -> list[int] | None:
        """Read an input that decides the result's shape.

        Args:
            index: of the input.

        Returns:
            Its values, or None where it is left out.

        Raises:
            ShapeError: it is no constant.
        """
        if index >= len(self.node.inputs) or not self.node.inputs[index]:
            return None
        values = self.integers[index]
        if values is None:
            raise ShapeError(f"its shape depends on {self.node.inputs[index]!r}, not a constant")
        return values


def axis_index(axis: int, axes: int) -> int:
    """Count an axis from the front.

    Args:
        axis: its number; negative from the end.
        axes: number of axes.

    Raises:
        ShapeError: there is no such axis.
    """
    if not -axes <= axis < axes:
        raise ShapeError(f"axis {axis} of {axes}")
    return axis % axes
