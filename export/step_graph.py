"""One ACT step as ONNX, emitted node by node in the order in which ``model.py`` computes it.

``torch.onnx.export`` of the unrolled step takes a minute; written out it takes a moment, every
weight is one initializer however often it is applied, and each node's name says where it stands:
``H1.L3.0.mlp.down`` is H cycle 1, L update 3, block 0. ``onnxruntime_graph.py`` overrides what one
runtime has better operators for. Shapes in comments: B batch, L tokens, P prefix, S = P + L,
D hidden, V vocabulary.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from torch import Tensor

from trm_edge.errors import ExportError
from trm_edge.export.graph_builder import GraphBuilder
from trm_edge.export.model import Attention, Block, SwiGLU, TinyRecursiveModel
from trm_edge.step import FORMAT, CarryType, step_inputs, step_outputs

OPSET = 19  # the lowest that has FP8 Q/DQ; TensorRT 10.3 parses it
# float32 unless a target asks for half precision; norms and logits stay float32 in either.
_NUMPY = {"float32": np.float32, "float16": np.float16}


def step_graph(model: TinyRecursiveModel, carry: CarryType = "float32") -> onnx.ModelProto:
    """The step graph of a float32 model, computing and carrying in ``carry``'s type.

    Raises:
        ExportError: the result is no valid ONNX.
    """
    return checked(StepEmitter(model, carry).emit())


def checked(graph: onnx.ModelProto) -> onnx.ModelProto:
    """The graph itself, where it is valid ONNX.

    Raises:
        ExportError: it is not.
    """
    try:
        onnx.checker.check_model(graph, full_check=True)
    except onnx.checker.ValidationError as error:
        raise ExportError(f"the step graph is no valid ONNX: {error}") from error
    return graph


class StepEmitter:
    """Emits the step in operators of the ONNX standard."""

    def __init__(self, model: TinyRecursiveModel, carry: CarryType) -> None:
        self.model = model
        self.config = model.config
        self.carry = carry
        self.half = carry == "float16"
        self.graph = GraphBuilder()

    def emit(self) -> onnx.ModelProto:
        config, graph = self.config, self.graph
        x = self._embed()
        z_H = self._start("H", self.model.H_init)
        z_L = self._start("L", self.model.L_init)
        for cycle in range(config.H_cycles):
            last = cycle == config.H_cycles - 1
            injected = graph.node("Add", [z_H, x], f"H{cycle}.inject")  # the same in every update
            for update in range(config.L_cycles):
                name = "z_L_next" if last and update == config.L_cycles - 1 else None
                z_L = self._network(z_L, injected, f"H{cycle}.L{update}", name)
            z_H = self._network(z_H, z_L, f"H{cycle}.H", "z_H_next" if last else None)
        self._heads(z_H)
        return graph.model(
            "trm_step",
            step_inputs(config, self.carry),
            step_outputs(config, self.carry),
            OPSET,
            {"format": FORMAT},
        )

    # --- embedding and initial state -------------------------------------------------------

    def _embed(self) -> str:
        """x (B, S, D); the constant factors of the published code are folded into the tables."""
        config, graph = self.config, self.graph
        learned = config.pos_encodings == "learned"
        scale = math.sqrt(config.hidden_size) * (0.707106781 if learned else 1.0)
        table = array_of(self.model.embed_tokens.embedding_weight) * np.float32(scale)
        x = graph.node("Gather", [self._typed("embed_tokens", table), "tokens"], "embed.tokens")
        if config.puzzle_emb_ndim:
            factor = self._typed("embed_scale", np.float32(scale))
            row = graph.node("Mul", ["puzzle_embedding", factor], "embed.scaled")  # (B, E)
            missing = config.prefix_len * config.hidden_size - config.puzzle_emb_ndim
            if missing:
                pads = graph.constant("embed_pads", np.array([0, 0, 0, missing], np.int64))
                row = graph.node("Pad", [row, pads], "embed.padded")
            shape = [-1, config.prefix_len, config.hidden_size]
            prefix = graph.node("Reshape", [row, self._shape("prefix", shape)], "embed.prefix")
            x = graph.node("Concat", [prefix, x], "embed.x", axis=1)  # (B, S, D)
        if learned:
            positions = array_of(self.model.embed_pos.embedding_weight) * np.float32(scale)
            x = graph.node("Add", [x, self._typed("embed_pos", positions)], "embed.positions")
        return x

    def _start(self, state: str, initial: Tensor) -> str:
        """The carry of slots at work, the initial state (D,) of those that reset."""
        graph = self.graph
        axes = graph.constant("reset_axes", np.array([1, 2], np.int64))
        where = f"reset.{state}"
        mask = graph.node("Unsqueeze", ["reset", axes], f"{where}.mask")  # (B, 1, 1)
        start = self._typed(f"{state}_init", array_of(initial))
        return graph.node("Where", [mask, start, f"z_{state}"], where)

    # --- the network -----------------------------------------------------------------------

    def _network(self, state: str, added: str, where: str, output: str | None) -> str:
        h = self.graph.node("Add", [state, added], f"{where}.in")  # (B, S, D)
        blocks = list(self.model.L_level.layers)
        for index, block in enumerate(blocks):
            name = output if index == len(blocks) - 1 else None
            h = self._block(h, index, block, f"{where}.{index}", name)
        return h

    def _block(self, h: str, index: int, block: Any, where: str, output: str | None) -> str:
        graph, config, width = self.graph, self.config, self.config.hidden_size
        if not isinstance(block, Block):
            raise ExportError(f"block {index} is a {type(block).__name__}, expected a Block.")
        layer = f"layers.{index}"
        if config.mlp_t:
            h = graph.node("Transpose", [h], f"{where}.across", perm=[0, 2, 1])  # (B, D, S)
            mixed = self._swiglu(h, block.mlp_t, f"{layer}.mlp_t", f"{where}.mlp_t")
            h = self._add_and_norm(h, mixed, config.carry_len, f"{where}.mix", f"{where}.norm1")
            h = graph.node("Transpose", [h], f"{where}.back", perm=[0, 2, 1])  # (B, S, D)
        else:
            mixed = self._attention(h, block.self_attn, f"{layer}.self_attn", f"{where}.attn")
            h = self._add_and_norm(h, mixed, width, f"{where}.mix", f"{where}.norm1")
        out = self._swiglu(h, block.mlp, f"{layer}.mlp", f"{where}.mlp")
        return self._add_and_norm(h, out, width, f"{where}.sum", f"{where}.norm2", output)

    def _swiglu(self, h: str, module: SwiGLU, layer: str, where: str) -> str:
        graph = self.graph
        both = self._linear(h, module.gate_up_proj.weight, f"{layer}.gate_up_proj", f"{where}.gu")
        gate, up = graph.split(
            "Split", [both], [f"{where}.gate", f"{where}.up"], axis=-1, num_outputs=2
        )
        sigmoid = graph.node("Sigmoid", [gate], f"{where}.sigmoid")
        silu = graph.node("Mul", [gate, sigmoid], f"{where}.silu")
        product = graph.node("Mul", [silu, up], f"{where}.product")
        return self._linear(product, module.down_proj.weight, f"{layer}.down_proj", f"{where}.down")

    def _attention(self, h: str, module: Attention, layer: str, where: str) -> str:
        config, graph = self.config, self.graph
        heads, size, length = config.num_heads, config.head_dim, config.carry_len
        qkv = self._linear(h, module.qkv_proj.weight, f"{layer}.qkv_proj", f"{where}.qkv")
        shape = self._shape("heads", [0, length, 3 * heads, size])
        qkv = graph.node("Reshape", [qkv, shape], f"{where}.heads")  # (B, S, 3 heads, size)
        parts = graph.constant("qk_v", np.array([2 * heads, heads], np.int64))
        qk, value = graph.split("Split", [qkv, parts], [f"{where}.qk", f"{where}.v"], axis=2)
        if self.model.rope is not None:
            qk = self._rope(qk, where)
        query, key = graph.split("Split", [qk], [f"{where}.q", f"{where}.k"], axis=2, num_outputs=2)
        scale = self._typed("attention_scale", np.float32(size**-0.5))
        query = graph.node("Mul", [query, scale], f"{where}.qs")
        query = graph.node("Transpose", [query], f"{where}.qt", perm=[0, 2, 1, 3])
        key = graph.node("Transpose", [key], f"{where}.kt", perm=[0, 2, 3, 1])
        value = graph.node("Transpose", [value], f"{where}.vt", perm=[0, 2, 1, 3])
        scores = graph.node("MatMul", [query, key], f"{where}.scores")  # (B, heads, S, S)
        weights = graph.node("Softmax", [scores], f"{where}.softmax", axis=-1)
        mixed = graph.node("MatMul", [weights, value], f"{where}.context")
        mixed = graph.node("Transpose", [mixed], f"{where}.merge", perm=[0, 2, 1, 3])
        flat = self._shape("merged", [0, length, config.hidden_size])
        mixed = graph.node("Reshape", [mixed, flat], f"{where}.merged")
        return self._linear(mixed, module.o_proj.weight, f"{layer}.o_proj", f"{where}.out")

    def _rope(self, qk: str, where: str) -> str:
        """Rotate query and key (B, S, 2 heads, size) together.

        rotate_half's minus sign stands in the table: h * cos + swap(h) * [-sin, sin].
        """
        graph = self.graph
        cos, sin = (array_of(table)[:, None, :] for table in self.model.rope or ())
        signed = sin.copy()
        signed[..., : sin.shape[-1] // 2] *= -1
        first, second = graph.split(
            "Split", [qk], [f"{where}.r1", f"{where}.r2"], axis=-1, num_outputs=2
        )
        swapped = graph.node("Concat", [second, first], f"{where}.swap", axis=-1)
        straight = graph.node("Mul", [qk, self._typed("rope_cos", cos)], f"{where}.cos")
        turned = graph.node("Mul", [swapped, self._typed("rope_sin", signed)], f"{where}.sin")
        return graph.node("Add", [straight, turned], f"{where}.rope")

    def _add_and_norm(
        self, h: str, update: str, width: int, add: str, where: str, output: str | None = None
    ) -> str:
        """RMSNorm of h + update (..., width), in float32 whatever the graph computes in."""
        graph = self.graph
        h = graph.node("Add", [h, update], add)
        wide = graph.node("Cast", [h], f"{where}.f32", to=1) if self.half else h
        two = graph.constant("two", np.float32(2.0))
        axes = graph.constant("last_axis", np.array([-1], np.int64))
        eps = graph.constant("eps", np.float32(self.config.rms_norm_eps))
        square = graph.node("Pow", [wide, two], f"{where}.sq")
        mean = graph.node("ReduceMean", [square, axes], f"{where}.mean", keepdims=1)
        root = graph.node("Sqrt", [graph.node("Add", [mean, eps], f"{where}.eps")], f"{where}.rms")
        if not self.half:
            return graph.node("Div", [wide, root], output or where)
        normed = graph.node("Div", [wide, root], f"{where}.div")
        return graph.node("Cast", [normed], output or where, to=10)

    # --- heads and helpers -----------------------------------------------------------------

    def _heads(self, z_H: str) -> None:
        graph, model = self.graph, self.model
        if self.half:
            z_H = graph.node("Cast", [z_H], "head.f32", to=1)
        cells = z_H
        if self.config.prefix_len:
            bounds = [
                graph.constant(f"cells_{name}", np.array([value], np.int64))
                for name, value in (
                    ("from", self.config.prefix_len),
                    ("to", 2**31 - 1),
                    ("axis", 1),
                )
            ]
            cells = graph.node("Slice", [z_H, *bounds], "head.cells")  # (B, L, D)
        lm_head = graph.constant("lm_head", array_of(model.lm_head.weight).T)
        graph.node("MatMul", [cells, lm_head], "logits")
        first = graph.constant("first", np.array(0, np.int64))
        position = graph.node("Gather", [z_H, first], "head.first", axis=1)  # (B, D)
        q_weight = graph.constant("q_head.weight", array_of(model.q_head.weight))
        q_bias = graph.constant("q_head.bias", array_of(model.q_head.bias))
        q = graph.node("Gemm", [position, q_weight, q_bias], "head.q", transB=1)  # (B, 2)
        second = graph.constant("second", np.array(1, np.int64))
        graph.node("Gather", [q, first], "q_halt", axis=1)
        graph.node("Gather", [q, second], "q_continue", axis=1)

    def _linear(self, h: str, weight: Tensor, layer: str, where: str) -> str:
        """h @ weight.T; the weight is stored as (in, out)."""
        return self.graph.node("MatMul", [h, self._typed(layer, array_of(weight).T)], where)

    def _typed(self, name: str, value: NDArray[np.float32] | np.float32) -> str:
        with np.errstate(over="ignore"):  # told below, by name
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
    array: NDArray[np.float32] = tensor.detach().float().numpy()
    return array
