"""The noise table of a step graph, and the proof that its inputs cannot read beyond it.

On a GPU an index beyond a tensor reads whatever lies there. So the windows may only be added to
small constants and look up the table, which must be as long as the last window reaches.
"""

from __future__ import annotations

from collections.abc import Sequence

from trm_edge.config import ModelConfig
from trm_edge.graph_shapes import Constants
from trm_edge.noise import WINDOWS
from trm_edge.operator_call import Node, ShapeError
from trm_edge.step import NOISE_INPUTS

NOISE_TABLE = "noise_table"  # (WINDOWS + S * D,) standard normal values, in the carry's type
NOISE_OFFSETS = "noise_offsets"  # (S, D) int32: 0, 1, ..., S * D - 1


def check_noise(nodes: Sequence[Node], constants: Constants, config: ModelConfig) -> None:
    """Refuse a graph that could look up noise outside of its table.

    Args:
        nodes: in the order in which they are computed.
        constants: the graph's.
        config: the model.

    Raises:
        ShapeError: says what is wrong.
    """
    count = config.carry_len * config.hidden_size
    size = WINDOWS + count
    shape = constants.shapes.get(NOISE_TABLE)
    if shape != (size,):
        actual = "there is no such one" if shape is None else f"it has the shape {shape}"
        raise ShapeError(f"its constant {NOISE_TABLE} must have {size} values, but {actual}")
    limits = constants.ranges.get(NOISE_OFFSETS)
    if limits != (0, count - 1):
        actual = "there is no such one" if limits is None else f"ranges over {limits}"
        raise ShapeError(
            f"its constant {NOISE_OFFSETS} must range from 0 to {count - 1}, but {actual}"
        )
    _check_windows(nodes)


def _check_windows(nodes: Sequence[Node]) -> None:
    """Follow the windows: axes and the offsets are added, then the table is looked up."""
    window, _ = NOISE_INPUTS
    windows = {window}
    places: set[str] = set()  # windows with the offsets added
    for node in nodes:
        if windows.isdisjoint(node.inputs) and places.isdisjoint(node.inputs):
            continue
        operands = node.inputs
        if node.operator == "Unsqueeze" and operands[0] in windows:
            windows.update(node.outputs)
        elif node.operator == "Add" and operands[0] in windows and operands[1] == NOISE_OFFSETS:
            places.update(node.outputs)
        elif node.operator != "Gather" or operands[0] != NOISE_TABLE:
            raise ShapeError(
                f"its {node.operator} takes {window!r}, which may only look up {NOISE_TABLE}"
            )
