"""The networks of a step as ONNX, node by node in the order in which ``network.py`` computes.

Each node's name is its address: ``H1.L3.0.mlp.down`` is H cycle 1, L update 3, block 0.
``onnxruntime_graph.py`` overrides what one runtime has better operators for. Shapes in comments:
B batch, P prefix, L tokens, S = P + L, D hidden.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from torch import Tensor

from trm_edge.architecture import Update, layer_prefix
from trm_edge.errors import ExportError
from trm_edge.export.graph_builder import GraphBuilder
from trm_edge.export.model import RecursiveModel
from trm_edge.export.network import Attention, Block, SwiGLU
from trm_edge.step import CarryType

# float32 unless a target asks for half precision; norms stay float32 in either.
_NUMPY = {"float32": np.float32, "float16": np.float16}


class NetworkEmitter:
    """Emits passes of a model's networks in operators of the ONNX standard.

    Args:
        model: the float32 model.
        carry: type that the graph computes and carries in.

    Attributes:
        graph: collects the nodes; every weight is stored in it once.
        half: the graph computes in float16.
    """

    def __init__(self, model: RecursiveModel, carry: CarryType) -> None:
        self.model = model
        self.config = model.config
        self.carry = carry
        self.half = carry == "float16"
        self.graph = GraphBuilder()

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
