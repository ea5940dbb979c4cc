"""Exactness of ONNX Runtime's INT8 kernels on this machine, and graphs that depend on it.

On x64 without VNNI the kernels add two neighbouring products of UINT8 by INT8 in 16 bits, which
saturates. Graphs exported since that was known hold weights that cannot get there
(``calibration/saturation.py``); graphs from before compute something else on such a machine.
"""

from __future__ import annotations

import functools
import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.graph_guard import integer_weights

logger = logging.getLogger(__name__)

PROBE = Path(__file__).parent / "int8_probe.onnx"
INPUT = "inputs"
OUTPUT = "products"
PAIR_LIMIT = 128  # two neighbouring codes of this sum, times 255, stay within 16 bits
_OUTPUTS = 24  # more than a vector register of any kernel
_DEPTH = 64
# (out, in): all of one sign, of the other sign, and in pairs of both.
WEIGHTS = np.full((_OUTPUTS, _DEPTH), 127, np.int8)
WEIGHTS[1::3] = -127
WEIGHTS[2::3, 2::4] = -127
WEIGHTS[2::3, 3::4] = -127


@functools.cache
def kernels_are_exact() -> bool:
    """Tell whether this machine multiplies UINT8 by INT8 without saturating.

    Runs a tiny product at the largest magnitudes, once in a process, on one row and on many: their
    kernels differ.

    Raises:
        ImportError: onnxruntime is not installed.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session: Any = ort.InferenceSession(
        PROBE.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    expected = 255 * WEIGHTS.astype(np.int32).sum(1)
    for rows in (1, 9):
        inputs = np.full((rows, _DEPTH), 255, np.uint8)
        (products,) = session.run([OUTPUT], {INPUT: inputs})
        if not np.array_equal(products, np.broadcast_to(expected, products.shape)):
            return False
    return True


def largest_pair_sum(codes: NDArray[np.int8]) -> int:
    """Find the largest magnitude of the sum of two neighbouring codes along K.

    Every pair counts, whatever the alignment at which a kernel takes them. A single code counts
    by itself.

    Args:
        codes: (K, N) int8.
    """
    wide = codes.astype(np.int16)
    if len(wide) > 1:
        wide = wide[1:] + wide[:-1]
    return int(np.abs(wide).max(initial=0))


def saturating_weights(content: bytes) -> list[str]:
    """List the INT8 matrices of a graph whose products can saturate on some CPU.

    Args:
        content: an ONNX file that passed :func:`~trm_edge.graph_guard.check_graph`.
    """
    names = []
    for name, codes in integer_weights(content).items():
        if largest_pair_sum(codes) > PAIR_LIMIT:
            names.append(name)
    return names


def warn_of_saturation(content: bytes, source: Path) -> None:
    """Warn where this machine computes a graph inexactly.

    Args:
        content: the ONNX file of ``source``.
        source: the step graph, for the message.
    """
    if kernels_are_exact():
        return
    names = saturating_weights(content)
    if names:
        logger.warning(
            "%s: the INT8 kernels of this CPU (x64 without VNNI) saturate in %d of its matrices, "
            "so that its answers are less accurate here than elsewhere. It was exported by an "
            "earlier version: export the checkpoint again.",
            source,
            len(names),
        )
