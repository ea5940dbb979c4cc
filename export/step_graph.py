"""One ACT step as ONNX, emitted node by node in the order in which ``model.py`` computes it.

``torch.onnx.export`` of the unrolled step takes a minute. Written out it takes a moment, every
weight is one initializer however often it is applied, and each node's name is its address:
``H1.L3.0.mlp.down`` is H cycle 1, L update 3, block 0. ``onnxruntime_graph.py`` overrides what one
runtime has better operators for. Shapes in comments: B batch, L tokens, P prefix, S = P + L,
D hidden, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto
from torch import Tensor

from trm_edge.architecture import INPUT, Terms, Update, layer_prefix
from trm_edge.errors import ExportError
from trm_edge.export.graph_builder import GraphBuilder
from trm_edge.export.model import Attention, Block, RecursiveModel, SwiGLU
from trm_edge.export.noise_input import emit_noise
from trm_edge.step import FORMAT, NOISE_FORMAT, CarryType, step_inputs, step_outputs

OPSET = 19  # the lowest that has FP8 Q/DQ; TensorRT 10.3 parses it
# float32 unless a target asks for half precision; norms and logits stay float32 in either.
_NUMPY = {"float32": np.float32, "float16": np.float16}
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


class StepEmitter:
    """Emits the step in operators of the ONNX standard.

    Args:
        model: the float32 model.
        carry: type that the graph computes and carries in.
        noise: give the graph inputs for noise on the answer's state.
    """

    def __init__(self, model: RecursiveModel, carry: CarryType, *, noise: bool = False) -> None:
        self.model = model
        self.config = model.config
        self.carry = carry
        self.half = carry == "float16"
        self.noise = noise
        self.graph = GraphBuilder()
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

    # --- the networks ----------------------------------------------------------------------

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

    def _network(self, h: str, update: Update, output: str | None) -> str:
        blocks = list(self.model.networks[update.network].layers)
        prefix = layer_prefix(update.network)
        for index, block in enumerate(blocks):
            block_output = output if index == len(blocks) - 1 else None
            scope = f"{update.address}.{index}"
            h = self._block(h, f"{prefix}layers.{index}", block, scope, block_output)
        return h

    def _block(self, h: str, layer: str, block: Any, scope: str, output: str | None) -> str:
        graph = self.graph
        config = self.config
        width = config.hidden_size
        if not isinstance(block, Block):
            raise ExportError(f"{layer} is a {type(block).__name__}, expected a Block.")
        if config.mlp_t:
            h = graph.node("Transpose", [h], f"{scope}.across", perm=[0, 2, 1])  # (B, D, S)
            mixed = self._swiglu(h, block.mlp_t, f"{layer}.mlp_t", f"{scope}.mlp_t")
            h = self._add_and_norm(h, mixed, config.carry_len, f"{scope}.mix", f"{scope}.norm1")
            h = graph.node("Transpose", [h], f"{scope}.back", perm=[0, 2, 1])  # (B, S, D)
        else:
            mixed = self._attention(h, block.self_attn, f"{layer}.self_attn", f"{scope}.attn")
            h = self._add_and_norm(h, mixed, width, f"{scope}.mix", f"{scope}.norm1")
        out = self._swiglu(h, block.mlp, f"{layer}.mlp", f"{scope}.mlp")
        return self._add_and_norm(h, out, width, f"{scope}.sum", f"{scope}.norm2", output)

    def _swiglu(self, h: str, module: SwiGLU, layer: str, scope: str) -> str:
        graph = self.graph
        both = self._linear(h, module.gate_up_proj.weight, f"{layer}.gate_up_proj", f"{scope}.gu")
        gate, up = graph.split(
            "Split", [both], [f"{scope}.gate", f"{scope}.up"], axis=-1, num_outputs=2
        )
        sigmoid = graph.node("Sigmoid", [gate], f"{scope}.sigmoid")
        silu = graph.node("Mul", [gate, sigmoid], f"{scope}.silu")
        product = graph.node("Mul", [silu, up], f"{scope}.product")
        return self._linear(product, module.down_proj.weight, f"{layer}.down_proj", f"{scope}.down")

    def _attention(self, h: str, module: Attention, layer: str, scope: str) -> str:
        config = self.config
        graph = self.graph
        heads = config.num_heads
        size = config.head_dim
        length = config.carry_len
        qkv = self._linear(h, module.qkv_proj.weight, f"{layer}.qkv_proj", f"{scope}.qkv")
        shape = self._shape("heads", [0, length, 3 * heads, size])
        qkv = graph.node("Reshape", [qkv, shape], f"{scope}.heads")  # (B, S, 3 heads, size)
        parts = graph.constant("qk_v", np.array([2 * heads, heads], np.int64))
        qk, value = graph.split("Split", [qkv, parts], [f"{scope}.qk", f"{scope}.v"], axis=2)
        if self.model.rope is not None:
            qk = self._rope(qk, scope)
        query, key = graph.split("Split", [qk], [f"{scope}.q", f"{scope}.k"], axis=2, num_outputs=2)
        scale = self._typed("attention_scale", np.float32(size**-0.5))
        query = graph.node("Mul", [query, scale], f"{scope}.qs")
        query = graph.node("Transpose", [query], f"{scope}.qt", perm=[0, 2, 1, 3])
        key = graph.node("Transpose", [key], f"{scope}.kt", perm=[0, 2, 3, 1])
        value = graph.node("Transpose", [value], f"{scope}.vt", perm=[0, 2, 1, 3])
        scores = graph.node("MatMul", [query, key], f"{scope}.scores")  # (B, heads, S, S)
        weights = graph.node("Softmax", [scores], f"{scope}.softmax", axis=-1)
        mixed = graph.node("MatMul", [weights, value], f"{scope}.context")
        mixed = graph.node("Transpose", [mixed], f"{scope}.merge", perm=[0, 2, 1, 3])
        flat = self._shape("merged", [0, length, config.attention_width])
        mixed = graph.node("Reshape", [mixed, flat], f"{scope}.merged")
        return self._linear(mixed, module.o_proj.weight, f"{layer}.o_proj", f"{scope}.out")

    def _rope(self, qk: str, scope: str) -> str:
        """Rotate query and key (B, S, 2 heads, size) together.

        rotate_half's minus sign is folded into the table: h * cos + swap(h) * [-sin, sin].
        """
        graph = self.graph
        cos, sin = (array_of(table)[:, None, :] for table in self.model.rope or ())
        signed = sin.copy()
        signed[..., : sin.shape[-1] // 2] *= -1
        first, second = graph.split(
            "Split", [qk], [f"{scope}.r1", f"{scope}.r2"], axis=-1, num_outputs=2
        )
        swapped = graph.node("Concat", [second, first], f"{scope}.swap", axis=-1)
        cosine_part = graph.node("Mul", [qk, self._typed("rope_cos", cos)], f"{scope}.cos")
        sine_part = graph.node("Mul", [swapped, self._typed("rope_sin", signed)], f"{scope}.sin")
        return graph.node("Add", [cosine_part, sine_part], f"{scope}.rope")

    def _add_and_norm(
        self, h: str, update: str, width: int, add: str, scope: str, output: str | None = None
    ) -> str:
        """RMSNorm of h + update (..., width), in float32 whatever the graph computes in."""
        graph = self.graph
        wide = graph.node("Add", [h, update], add)
        if self.half:
            wide = graph.node("Cast", [wide], f"{scope}.f32", to=TensorProto.FLOAT)
        two = graph.constant("two", np.float32(2.0))
        axes = graph.constant("last_axis", np.array([-1], np.int64))
        eps = graph.constant("eps", np.float32(self.config.rms_norm_eps))
        square = graph.node("Pow", [wide, two], f"{scope}.sq")
        mean = graph.node("ReduceMean", [square, axes], f"{scope}.mean", keepdims=1)
        stabilised = graph.node("Add", [mean, eps], f"{scope}.eps")
        root = graph.node("Sqrt", [stabilised], f"{scope}.rms")
        if not self.half:
            return graph.node("Div", [wide, root], output or scope)
        normed = graph.node("Div", [wide, root], f"{scope}.div")
        return graph.node("Cast", [normed], output or scope, to=TensorProto.FLOAT16)

    # --- heads and helpers -----------------------------------------------------------------

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

    def _linear(self, h: str, weight: Tensor, layer: str, scope: str) -> str:
        """h @ weight.T; the weight is stored as (in, out)."""
        return self.graph.node("MatMul", [h, self._typed(layer, array_of(weight).T)], scope)

    def _typed(self, name: str, value: NDArray[np.float32] | np.float32) -> str:
        with np.errstate(over="ignore"):  # reported below, by name
            array = np.asarray(value).astype(_NUMPY[self.carry])
        if not np.isfinite(array).all():
            raise ExportError(
                f"{name} does not fit into {self.carry}: its largest magnitude is "
                f"{np.abs(value).max():.4g}. Export with --fp32."
            )
        return self.graph.constant(name, array)

    def _shape(self, name: str, shape: list[int]) -> str:
        return self.graph.constant(f"shape_{name}", np.array(shape, np.int64))


def array_of(tensor: Tensor) -> NDArray[np.float32]:
    """Convert a parameter to a float32 array of the same shape.

    Args:
        tensor: any float tensor on the CPU.
    """
    array: NDArray[np.float32] = tensor.detach().float().numpy()
    return array
