"""INT8 products on an emulated x64 CPU without VNNI, whose kernels saturate.

Haswell has AVX2 and no VNNI. Needs ``qemu-x86_64-static`` (Debian's qemu-user-static).
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.backends.test_integer_kernels import older_graph, toy_graph
from trm_edge.graph_guard import integer_weights

EMULATOR = "qemu-x86_64-static"
ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(
        platform.machine() != "x86_64" or shutil.which(EMULATOR) is None,
        reason="needs an x86-64 machine with qemu-x86_64-static: apt-get install qemu-user-static",
    ),
]

_RUN = """
import sys
import numpy as np, onnxruntime as ort
session = ort.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
np.savez(sys.argv[3], *session.run(None, dict(np.load(sys.argv[2]))))
"""


def on_haswell(*arguments: str | Path) -> str:
    """Run this interpreter on an emulated Haswell; returns its standard output."""
    python = Path(sys.executable).resolve()  # the emulator starts no link of a virtual environment
    folders = [str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))]
    done = subprocess.run(
        [EMULATOR, "-cpu", "Haswell", str(python), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def products_graph(matrices: list[NDArray[np.int8]]) -> onnx.ModelProto:
    """One integer product for each matrix (K, N)."""
    nodes = []
    inputs = []
    outputs = []
    weights = []
    for index, codes in enumerate(matrices):
        names = (f"inputs{index}", f"weights{index}")
        nodes.append(helper.make_node("MatMulInteger", names, [f"products{index}"]))
        shape = ["M", codes.shape[0]]
        inputs.append(helper.make_tensor_value_info(names[0], TensorProto.UINT8, shape))
        shape = ["M", codes.shape[1]]
        outputs.append(helper.make_tensor_value_info(f"products{index}", TensorProto.INT32, shape))
        weights.append(numpy_helper.from_array(np.ascontiguousarray(codes), names[1]))
    graph = helper.make_graph(nodes, "products", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return model


def extreme_inputs(codes: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Inputs (M, K) that push sums furthest: all at 255, and for each column those of one sign."""
    rows = [np.full(codes.shape[0], 255, np.uint8)]
    for column in codes.T[:16]:
        rows.append(np.where(column > 0, 255, 0).astype(np.uint8))
        rows.append(np.where(column < 0, 255, 0).astype(np.uint8))
    return np.stack(rows)


def errors_on_haswell(graph: onnx.ModelProto, folder: Path) -> list[int]:
    """Largest error of the integer products of each INT8 matrix of a step graph."""
    matrices = list(integer_weights(graph.SerializeToString()).values())
    assert matrices
    feeds = {}
    for index, codes in enumerate(matrices):
        feeds[f"inputs{index}"] = extreme_inputs(codes)
    onnx.save(products_graph(matrices), folder / "products.onnx")
    np.savez(folder / "inputs.npz", **feeds)  # type: ignore[arg-type]
    files = (folder / "products.onnx", folder / "inputs.npz", folder / "products.npz")
    on_haswell("-c", _RUN, *files)
    errors = []
    with np.load(folder / "products.npz") as products:
        for index, codes in enumerate(matrices):
            exact = feeds[f"inputs{index}"].astype(np.int64) @ codes.astype(np.int64)
            errors.append(int(np.abs(products[f"arr_{index}"] - exact).max()))
    return errors


def test_no_product_of_this_release_saturates(tmp_path: Path) -> None:
    errors = errors_on_haswell(toy_graph(), tmp_path)
    assert errors == [0] * len(errors)


def test_weights_of_the_whole_range_saturate_there(tmp_path: Path) -> None:
    """Without this the other test could not fail."""
    assert min(errors_on_haswell(older_graph(), tmp_path)) > 0


def test_doctor_says_that_the_kernels_saturate() -> None:
    output = " ".join(on_haswell("-m", "trm_edge", "doctor").replace("│", " ").split())
    assert "this CPU has no VNNI, and its kernels saturate" in output
    assert "Bundles that this version exports stay below them and are exact here too" in output
