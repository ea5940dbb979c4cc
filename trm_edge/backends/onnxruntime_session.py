"""Sessions of ONNX Runtime: what loads a step graph, and what it may load it on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trm_edge.errors import BackendError
from trm_edge.step import TensorSpec, describe_mismatch

CPU_PROVIDER = "CPUExecutionProvider"
CUDA_PROVIDER = "CUDAExecutionProvider"
_NBITS_ACCURACY = "session.qdq_matmulnbits_accuracy_level"
_TYPES = {
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
}


def available_providers() -> tuple[str, ...]:
    """List ONNX Runtime's execution providers; empty where it is not installed."""
    try:
        import onnxruntime as ort
    except ImportError:
        return ()
    return tuple(ort.get_available_providers())


def runtime_version() -> str:
    """Return the version of ONNX Runtime.

    Raises:
        BackendError: it is not installed.
    """
    return str(_onnxruntime().__version__)


def open_session(content: bytes, graph: Path, provider: str, threads: int) -> Any:
    """Load a graph that may be trusted.

    Args:
        content: of the graph's file.
        graph: its path, for messages.
        provider: the execution provider; where it cannot be used, ONNX Runtime takes another.
        threads: in each operator; 0 for one per core.

    Returns:
        An ``onnxruntime.InferenceSession``.

    Raises:
        BackendError: ONNX Runtime is not installed or cannot load the graph.
    """
    ort = _onnxruntime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # A quantized weight that is used once is fused into MatMulNBits, which rounds its float
    # inputs to 8 bits, too, unless it is told not to.
    options.add_session_config_entry(_NBITS_ACCURACY, "1")  # 1: computed in float32
    try:
        return ort.InferenceSession(content, options, providers=[provider])
    except Exception as error:
        raise BackendError(
            f"ONNX Runtime {ort.__version__} cannot load {graph}: {error}"
        ) from error


def check_contract(
    session: Any, graph: Path, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
) -> None:
    """Compare a session's inputs and outputs with the step contract.

    Args:
        session: of the graph.
        graph: its path, for messages.
        inputs: that the contract asks for.
        outputs: that the contract asks for.

    Raises:
        BackendError: they differ; says where.
    """
    for description, expected, arguments in (
        ("inputs", inputs, session.get_inputs()),
        ("outputs", outputs, session.get_outputs()),
    ):
        problem = describe_mismatch(expected, [_spec(argument) for argument in arguments])
        if problem:
            raise BackendError(
                f"{graph} breaks the step contract in its {description}: {problem}. "
                "Export the checkpoint again."
            )


def _onnxruntime() -> Any:
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise BackendError(
            "running a step graph needs the package onnxruntime, which is not installed. "
            "Install it with: pip install onnxruntime"
        ) from error
    return ort


def _spec(argument: Any) -> TensorSpec:
    shape = tuple(axis if isinstance(axis, int) else None for axis in argument.shape)
    return TensorSpec(argument.name, shape, _TYPES.get(argument.type, argument.type))
