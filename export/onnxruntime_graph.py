"""The float32 step graph in the operators that ONNX Runtime's CPU provider has fused kernels for.

It computes what ``step_graph.py`` computes and keeps the same contract. The differences follow the
time spent between the matrix products (docs/speed.md): residual and norm are one operator;
attention is one operator and takes its inputs as the projections write them; gate and up, and
query, key and value, are products of their own, so that nothing is split afterwards. A matrix is
still stored once, in those parts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from torch import Tensor

from trm_edge.export.graph_builder import ONNXRUNTIME_DOMAIN
from trm_edge.export.model import RecursiveModel
from trm_edge.export.network import Attention, SwiGLU
from trm_edge.export.network_graph import array_of
from trm_edge.export.step_graph import StepEmitter, checked

# Output channels of these matrices, in equal shares; a part's initializer is LAYER.PART.
PARTS = {"gate_up_proj": ("gate", "up"), "qkv_proj": ("q", "k", "v")}


def onnxruntime_step_graph(model: RecursiveModel) -> onnx.ModelProto:
    """Emit the step graph of a float32 model for ONNX Runtime on a CPU.

    Args:
        model: the float32 model.

    Raises:
        ExportError: the result is not valid ONNX.
    """
    return checked(_OnnxRuntimeEmitter(model, "float32").emit())


class _OnnxRuntimeEmitter(StepEmitter):
    def _fused(self, op: str, inputs: list[str], name: str, **attributes: Any) -> str:
        return self.graph.node(op, inputs, name, domain=ONNXRUNTIME_DOMAIN, **attributes)

    def _parts(self, h: str, module: SwiGLU | Attention, layer: str, scope: str) -> list[str]:
        """The products of h and the parts of the module's first matrix."""
        matrix = "gate_up_proj" if isinstance(module, SwiGLU) else "qkv_proj"
        names = PARTS[matrix]
        weight: Tensor = getattr(module, matrix).weight
        products = []
        for name, part in zip(names, weight.chunk(len(names)), strict=True):
            product = self._linear(h, part, f"{layer}.{matrix}.{name}", f"{scope}.{name}")
            products.append(product)
        return products

    def _swiglu(self, h: str, module: SwiGLU, layer: str, scope: str) -> str:
        graph = self.graph
        gate, up = self._parts(h, module, layer, scope)
        silu = self._fused("QuickGelu", [gate], f"{scope}.silu", alpha=1.0)
        product = graph.node("Mul", [silu, up], f"{scope}.product")
        return self._linear(product, module.down_proj.weight, f"{layer}.down_proj", f"{scope}.down")

    def _attention(self, h: str, module: Attention, layer: str, scope: str) -> str:
        query, key, value = self._parts(h, module, layer, scope)  # (B, S, D) each
        if self.model.rope is not None:
            query = self._rotated(query, f"{scope}.qr")
            key = self._rotated(key, f"{scope}.kr")
        heads = self.config.num_heads
        mixed = self._fused(
            "MultiHeadAttention", [query, key, value], f"{scope}.merged", num_heads=heads
        )
        return self._linear(mixed, module.o_proj.weight, f"{layer}.o_proj", f"{scope}.out")

    def _rotated(self, h: str, scope: str) -> str:
        half = self.config.head_dim // 2  # the two halves of a table's row are equal
        inputs = [h, self.graph.constant("rope_start", np.array([0], np.int64))]
        for name, table in zip(("rope_cos", "rope_sin"), self.model.rope or (), strict=True):
            inputs.append(self._typed(name, array_of(table[:, :half].contiguous())))
        return self._fused("RotaryEmbedding", inputs, scope)

    def _add_and_norm(
        self, h: str, update: str, width: int, add: str, scope: str, output: str | None = None
    ) -> str:
        scale = self.graph.constant(f"ones_{width}", np.ones(width, np.float32))
        return self._fused(
            "SkipSimplifiedLayerNormalization",
            [h, update, scale],
            output or scope,
            epsilon=self.config.rms_norm_eps,
        )
