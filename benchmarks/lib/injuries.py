"""Ways to make a bundle worse, as a faulty change would: for showing what `regress` finds.

Each returns a copy of the bundle whose manifest has the new hashes, so that nothing but the change
itself gives it away.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trm_edge.bundle import MANIFEST, PARITY, Bundle
from trm_edge.files import hash_file
from trm_edge.manifest import FileRecord

Change = Callable[[onnx.GraphProto, np.random.Generator], None]


def injured(bundle: Path, copy: Path, change: Change, seed: int = 0) -> Path:
    """A copy whose cpu graph was changed."""
    shutil.copytree(bundle, copy)
    step = Bundle.open(copy).target("cpu")[1].step
    model = onnx.load(copy / step)
    change(model.graph, np.random.default_rng(seed))
    onnx.save(model, copy / step)
    return _sealed(copy, step)


def labels_shuffled(bundle: Path, copy: Path, seed: int = 0) -> Path:
    """Answers that belong to other puzzles."""
    shutil.copytree(bundle, copy)
    vectors = Bundle.open(copy).parity()
    order = np.random.default_rng(seed).permutation(len(vectors))
    replace(vectors, labels=vectors.labels[order]).save(copy / PARITY)
    return _sealed(copy, PARITY)


def scale_doubled(graph: onnx.GraphProto, rng: np.random.Generator) -> None:
    """All weight scales of one matrix of a layer times 2."""
    scales = [one for one in graph.initializer if one.name.endswith(".s") and one.dims]
    _replace(scales[rng.integers(len(scales))], lambda values: 2 * values)


def bit_flipped(graph: onnx.GraphProto, rng: np.random.Generator) -> None:
    """The sign bit of one INT8 weight."""
    matrices = [one for one in graph.initializer if one.data_type == TensorProto.INT8]

    def flip(codes: np.ndarray) -> np.ndarray:
        flat = codes.reshape(-1).copy()
        flat.view(np.uint8)[rng.integers(flat.size)] ^= 0x80
        flipped: np.ndarray = flat.reshape(codes.shape)
        return flipped

    _replace(matrices[rng.integers(len(matrices))], flip)


def halting_shifted(by: float) -> Change:
    """The halting head's bias plus so much."""

    def change(graph: onnx.GraphProto, rng: np.random.Generator) -> None:
        bias = next(one for one in graph.initializer if one.name == "q_head.bias")
        _replace(bias, lambda values: values + np.float32(by) * (np.arange(len(values)) == 0))

    return change


def extra_products(count: int, width: int) -> Change:
    """``count`` products of the carry by a (D, D) matrix, whose result changes nothing."""

    def change(graph: onnx.GraphProto, rng: np.random.Generator) -> None:
        matrix = rng.standard_normal((width, width), dtype=np.float32) / np.float32(width**0.5)
        for name, value in (
            ("extra.w", matrix),
            ("extra.zero", np.float32(0)),
            ("extra.axes", np.array([1, 2], np.int64)),
        ):
            graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
        given = "z_H"
        for index in range(count):
            output = f"extra.{index}"
            graph.node.append(helper.make_node("MatMul", [given, "extra.w"], [output]))
            given = output
        wanted = next(node for node in graph.node if "q_halt" in node.output)
        wanted.output[list(wanted.output).index("q_halt")] = "q_halt.before"
        graph.node.extend(
            [
                helper.make_node("ReduceMax", [given, "extra.axes"], ["extra.max"], keepdims=0),
                helper.make_node("Mul", ["extra.max", "extra.zero"], ["extra.nothing"]),
                helper.make_node("Add", ["q_halt.before", "extra.nothing"], ["q_halt"]),
            ]
        )

    return change


def _replace(tensor: onnx.TensorProto, change: Callable[[np.ndarray], np.ndarray]) -> None:
    values = change(numpy_helper.to_array(tensor))
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), tensor.name))


def _sealed(bundle: Path, name: str) -> Path:
    manifest = json.loads((bundle / MANIFEST).read_text())
    path = bundle / name
    manifest["files"][name] = vars(FileRecord(hash_file(path), path.stat().st_size))
    (bundle / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    Bundle.open(bundle)
    return bundle
