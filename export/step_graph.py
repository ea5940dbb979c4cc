"""One ACT step as ONNX, emitted node by node in the order in which ``model.py`` computes it.

``torch.onnx.export`` of the unrolled step takes a minute. Written out it takes a moment, every
weight is one initializer however often it is applied, and each node's name is its address.
``network_graph.py`` emits the networks. Shapes in comments: B batch, L tokens, P prefix,
S = P + L, D hidden, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto

from trm_edge.architecture import INPUT, Terms, Update
from trm_edge.errors import ExportError
from trm_edge.export.model import RecursiveModel
from trm_edge.export.network_graph import NetworkEmitter, array_of
from trm_edge.export.noise_input import emit_noise
from trm_edge.step import FORMAT, NOISE_FORMAT, CarryType, step_inputs, step_outputs

OPSET = 19  # the lowest that has FP8 Q/DQ; TensorRT 10.3 parses it
_LARGEST_INDEX = 2**31 - 1  # "to the end" of a Slice


def step_graph(
    model: RecursiveModel, carry: CarryType = "float32", *, noise: bool = False
) -> onnx.ModelProto:
    """Emit the step graph of a float32 model in standard ONNX.

    Args:
        model: the float32 model.
        carry: type that the graph computes and carries in.
        noise: give the graph inputs for noise on the answer's state.

    Raises:
        ExportError: a weight does not fit into the type, or the result is not valid ONNX.
    """
    return checked(StepEmitter(model, carry, noise=noise).emit())


def checked(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph itself after ONNX's full check.

    Args:
        graph: a complete model.

    Raises:
        ExportError: it is not valid ONNX.
    """
    try:
        onnx.checker.check_model(graph, full_check=True)
    except onnx.checker.ValidationError as error:
        raise ExportError(f"the step graph is not valid ONNX: {error}") from error
    return graph


class StepEmitter(NetworkEmitter):
    """Emits the step in operators of the ONNX standard.

    Args:
        model: the float32 model.
        carry: type that the graph computes and carries in.
        noise: give the graph inputs for noise on the answer's state.
    """

    def __init__(self, model: RecursiveModel, carry: CarryType, *, noise: bool = False) -> None:
        super().__init__(model, carry)
        self.noise = noise
        self._sums: dict[tuple[str, ...], str] = {}  # by the values that were added

    def emit(self) -> onnx.ModelProto:
        """Emit all nodes; call it once.

        Raises:
            ExportError: a weight does not fit into the carry's type.
        """
        config = self.config
        graph = self.graph
        recursion = self.model.recursion
        values = {INPUT: self._embed()}
        for state in recursion.states:
            values[state] = self._start(state)
        if self.noise:
            answer = values[recursion.answer]
            values[recursion.answer] = emit_noise(graph, answer, config, self.carry)
        updates = self.model.updates
        last = {update.state: update for update in updates}
        for update in updates:
            output = f"{update.state}_next" if last[update.state] is update else None
            h = self._sum(update.terms, values, update)
            values[update.state] = self._network(h, update, output)
        for state in recursion.states:
            if state not in last:  # fewer cycles than states: it stays as it started
                graph.node("Identity", [values[state]], f"{state}_next")
        self._heads(values[recursion.answer])
        return graph.model(
            "trm_step",
            step_inputs(config, self.carry, noise=self.noise),
            step_outputs(config, self.carry),
            OPSET,
            {"format": NOISE_FORMAT if self.noise else FORMAT},
        )

    # --- embedding and initial state -------------------------------------------------------

    def _embed(self) -> str:
        """x (B, S, D); the constant factors of the published code are folded into the tables."""
        config = self.config
        graph = self.graph
        learned = config.pos_encodings == "learned"
        scale = math.sqrt(config.hidden_size) * (0.707106781 if learned else 1.0)
        table = array_of(self.model.embed_tokens.embedding_weight) * np.float32(scale)
        x = graph.node("Gather", [self._typed("embed_tokens", table), "tokens"], "embed.tokens")
        if config.puzzle_emb_ndim:
            factor = self._typed("embed_scale", np.float32(scale))
            embedding = graph.node("Mul", ["puzzle_embedding", factor], "embed.scaled")  # (B, E)
            missing = config.prefix_len * config.hidden_size - config.puzzle_emb_ndim
            if missing:
                pads = graph.constant("embed_pads", np.array([0, 0, 0, missing], np.int64))
                embedding = graph.node("Pad", [embedding, pads], "embed.padded")
            shape = self._shape("prefix", [-1, config.prefix_len, config.hidden_size])
            prefix = graph.node("Reshape", [embedding, shape], "embed.prefix")
            x = graph.node("Concat", [prefix, x], "embed.x", axis=1)  # (B, S, D)
        if learned:
            positions = array_of(self.model.embed_pos.embedding_weight) * np.float32(scale)
            x = graph.node("Add", [x, self._typed("embed_pos", positions)], "embed.positions")
        return x

    def _start(self, state: str) -> str:
        """The carry, or the initial state (D,) in the slots whose ``reset`` is set."""
        graph = self.graph
        axes = graph.constant("reset_axes", np.array([1, 2], np.int64))
        scope = f"reset.{state.removeprefix('z_')}"
        mask = graph.node("Unsqueeze", ["reset", axes], f"{scope}.mask")  # (B, 1, 1)
        initial = self.model.recursion.initial[state]
        start = self._typed(initial, array_of(self.model.initial_state(state)))
        return graph.node("Where", [mask, start, state], scope)

    # --- the states ------------------------------------------------------------------------

    def _sum(self, terms: Terms, values: Mapping[str, str], update: Update) -> str:
        """The input of a network (B, S, D); sums that several updates share are computed once."""
        names = []
        for term in terms:
            if isinstance(term, str):
                names.append(values[term])
            else:
                names.append(self._inner_sum(term, values, update))
        return self._added(names, f"{update.address}.in")

    def _inner_sum(self, terms: Terms, values: Mapping[str, str], update: Update) -> str:
        names = tuple(values[term] for term in terms if isinstance(term, str))
        if len(names) != len(terms):
            raise ExportError(f"the sum {terms} of {update.address} is nested too deeply.")
        if names not in self._sums:
            scope = f"{update.address}.sum"
            if INPUT in terms:
                scope = f"H{update.cycle}.inject"  # the same in every update of the cycle
            self._sums[names] = self._added(names, scope)
        return self._sums[names]

    def _added(self, names: Sequence[str], scope: str) -> str:
        """Add values from left to right; the last node has the name ``scope``."""
        total = names[0]
        for index, name in enumerate(names[1:], 2):
            node = scope if index == len(names) else f"{scope}.{index}"
            total = self.graph.node("Add", [total, name], node)
        return total

    # --- heads -----------------------------------------------------------------------------

    def _heads(self, answer: str) -> None:
        graph = self.graph
        model = self.model
        if self.half:
            answer = graph.node("Cast", [answer], "head.f32", to=TensorProto.FLOAT)
        cells = answer
        if self.config.prefix_len:
            start = graph.constant("cells_from", np.array([self.config.prefix_len], np.int64))
            end = graph.constant("cells_to", np.array([_LARGEST_INDEX], np.int64))
            axis = graph.constant("cells_axis", np.array([1], np.int64))
            cells = graph.node("Slice", [answer, start, end, axis], "head.cells")  # (B, L, D)
        lm_head = graph.constant("lm_head", array_of(model.lm_head.weight).T)
        graph.node("MatMul", [cells, lm_head], "logits")
        first = graph.constant("first", np.array(0, np.int64))
        position = graph.node("Gather", [answer, first], "head.first", axis=1)  # (B, D)
        q_weight = graph.constant("q_head.weight", array_of(model.q_head.weight))
        q_bias = graph.constant("q_head.bias", array_of(model.q_head.bias))
        q = graph.node("Gemm", [position, q_weight, q_bias], "head.q", transB=1)  # (B, 2)
        second = graph.constant("second", np.array(1, np.int64))
        graph.node("Gather", [q, first], "q_halt", axis=1)
        graph.node("Gather", [q, second], "q_continue", axis=1)
