"""Format of a baseline on disk: ``trm-edge.baseline/2``, a JSON file to be committed.

One bit or byte for each puzzle is packed and written as base64, to keep the file and its diffs
small. Version 1 named sizes and timings in prose, left units out of its keys, and wrote the types
of an engine's layers as text; :func:`migrate` converts it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.errors import ConfigError, RecordError
from trm_edge.evaluation.machine import Machine
from trm_edge.records import Format, RecordKind

FORMAT = Format("trm-edge.baseline", 2)
KIND = RecordKind(
    FORMAT,
    "a baseline of trm-edge regress",
    RecordError,
    "Restore it, or write it again with --update.",
)
STEP_GRAPH = "step_graph"  # name of its size
STEP = "step"  # name of its times
_COUNT = re.compile(r"[1-9][0-9]{0,8}")
_LARGEST = 2.0**53  # of a size, a memory or a ratio
_SHORTEST = 1e-9  # seconds
_LONGEST = 1e6
_LARGEST_ERROR = 2.001  # 1 - cosine, rounded
_RENAMED = {
    "step graph": "step_graph",
    "float32 step": "float32_step",
}


@dataclass(frozen=True)
class AnswersRecord:
    """Answers to the held-out puzzles.

    Args:
        count: n, number of puzzles.
        puzzles: sha256 of their tokens and identifiers.
        labels: sha256 of the known answers.
        right_fixed: n bits, base64: right after the last step.
        right_adaptive: n bits, base64: right at the halting step.
        steps: n bytes, base64: the halting step, from 1.
        error: 1 - cosine to the float32 carry after the first step, by puzzle.
        labelled: every right answer is known; otherwise the float32 model's count as right.

    Raises:
        ConfigError: a packed value does not hold n puzzles, or a value is out of range.
    """

    count: int
    puzzles: str
    labels: str
    right_fixed: str
    right_adaptive: str
    steps: str
    error: tuple[float, ...]
    labelled: bool = True

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ConfigError(f"answers.count must be 1 or more, but is {self.count}")
        unpack_bits(self.right_fixed, self.count)
        unpack_bits(self.right_adaptive, self.count)
        steps = unpack_bytes(self.steps)
        if len(steps) != self.count:
            raise ConfigError(f"it has {len(steps)} halting steps for {self.count} puzzles")
        if steps.min() < 1:
            raise ConfigError("answers.steps must count from 1, but holds 0")
        if not 1 <= len(self.error) <= self.count:
            raise ConfigError(
                f"it has {len(self.error)} errors of the carry for {self.count} puzzles"
            )
        for error in self.error:
            _require("answers.error", error, 0, _LARGEST_ERROR)


@dataclass(frozen=True)
class SpeedRecord:
    """Speed and memory on one kind of machine.

    Args:
        machine: the machine.
        memory_bytes: peak memory of a process that solves one puzzle, beyond what imports take.
        startup_ratio: CPU time of such a process until its first answer / that of imports alone.
        times_seconds: by number of slots, then by name: the quickest call of each repeat.

    Raises:
        ConfigError: a value is out of range, or lists differ in length.
    """

    machine: Machine
    memory_bytes: float
    startup_ratio: float
    times_seconds: Mapping[str, Mapping[str, tuple[float, ...]]]

    def __post_init__(self) -> None:
        _require("memory_bytes", self.memory_bytes, 1, _LARGEST)
        _require("startup_ratio", self.startup_ratio, 1 / _LARGEST, _LARGEST)
        for slots, times in self.times_seconds.items():
            if not _COUNT.fullmatch(slots):
                raise ConfigError(f"times_seconds is by number of slots, but has {slots[:20]!r}")
            lengths = {len(seconds) for seconds in times.values()}
            if STEP not in times or len(lengths) != 1 or not min(lengths):
                raise ConfigError(
                    f"times_seconds.{slots} must have a list of {STEP} and lists as long beside it"
                )
            for name, seconds in times.items():
                for second in seconds:
                    _require(f"times_seconds.{slots}.{name}", second, _SHORTEST, _LONGEST)


@dataclass(frozen=True)
class BaselineRecord:
    """The whole file but its format line.

    Args:
        target: name of the target.
        precision: as the manifest has it.
        step_sha256: of the step graph.
        float32_sha256: of the float32 graph that is a reference workload; None without one.
        provenance: when and from what it was made.
        sizes_bytes: of the step graph, and of the engine where there is one.
        float_layers: names of the layers that were left in float.
        engine_layers: by layer: how many of its call sites take inputs of which element type.
        answers: to the held-out puzzles.
        speeds: one entry for each kind of machine.

    Raises:
        ConfigError: the size of the step graph is missing, or a size is out of range.
    """

    target: str
    precision: str
    step_sha256: str
    float32_sha256: str | None
    provenance: Mapping[str, str]
    sizes_bytes: Mapping[str, int]
    float_layers: tuple[str, ...]
    engine_layers: Mapping[str, Mapping[str, int]]
    answers: AnswersRecord
    speeds: tuple[SpeedRecord, ...]

    def __post_init__(self) -> None:
        if STEP_GRAPH not in self.sizes_bytes:
            raise ConfigError(f"sizes_bytes lacks {STEP_GRAPH}")
        for name, size in self.sizes_bytes.items():
            _require(f"sizes_bytes.{name}", size, 1, _LARGEST)


def migrate(raw: dict[str, Any]) -> None:
    """Convert the content of ``trm-edge.baseline/1`` in place; version 2 is left as it is.

    Args:
        raw: the parsed JSON without its format line.

    Raises:
        ConfigError: the types of an engine's layer are not written as version 1 did.
    """
    if "sizes" not in raw:
        return
    raw["sizes_bytes"] = _with_new_names(raw.pop("sizes"))
    for layer, text in raw["engine_layers"].items():
        raw["engine_layers"][layer] = _parse_type_counts(layer, text)
    for speed in raw["speeds"]:
        speed["memory_bytes"] = speed.pop("memory")
        speed["startup_ratio"] = speed.pop("startup")
        times = speed.pop("times")
        for slots in times:
            times[slots] = _with_new_names(times[slots])
        speed["times_seconds"] = times


def pack_bits(values: NDArray[np.bool_]) -> str:
    """Pack flags as base64.

    Args:
        values: (n,) bool.
    """
    return base64.b64encode(np.packbits(values).tobytes()).decode()


def unpack_bits(text: str, count: int) -> NDArray[np.bool_]:
    """Unpack flags, the reverse of :func:`pack_bits`.

    Args:
        text: base64.
        count: n, number of flags.

    Returns:
        (n,) bool.

    Raises:
        ConfigError: not base64, or fewer than n flags.
    """
    bits = np.unpackbits(np.frombuffer(_decode(text), np.uint8))
    if len(bits) < count:
        raise ConfigError(f"it has {len(bits)} answers for {count} puzzles")
    return bits[:count].astype(np.bool_)


def pack_bytes(values: NDArray[np.int32]) -> str:
    """Pack small numbers as base64.

    Args:
        values: (n,), each in 0..255.
    """
    return base64.b64encode(values.astype(np.uint8).tobytes()).decode()


def unpack_bytes(text: str) -> NDArray[np.int32]:
    """Unpack small numbers, the reverse of :func:`pack_bytes`.

    Args:
        text: base64.

    Returns:
        (n,) int32.

    Raises:
        ConfigError: not base64.
    """
    return np.frombuffer(_decode(text), np.uint8).astype(np.int32)


def rounded(values: NDArray[np.float64], digits: int) -> tuple[float, ...]:
    """Round to significant digits, so that the file holds no digits of noise.

    Args:
        values: (n,) float64.
        digits: significant digits that remain.
    """
    return tuple(float(f"{value:.{digits}g}") for value in values)


def _require(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(f"{name} must lie in {low:g}..{high:g}, but is {value:g}")


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ConfigError(f"packed answers are not base64 ({error})") from error


def _with_new_names(values: Mapping[str, Any]) -> dict[str, Any]:
    return {_RENAMED.get(name, name): value for name, value in values.items()}


def _parse_type_counts(layer: str, text: Any) -> dict[str, int]:
    """Parse version 1's ``"float16 x 2, int8 x 19"``."""
    counts: dict[str, int] = {}
    for part in str(text).split(", "):
        element_type, separator, count = part.partition(" x ")
        if not separator or not count.isdecimal():
            raise ConfigError(f"engine_layers.{layer} must read like 'int8 x 3', but is {text!r}")
        counts[element_type] = int(count)
    return counts
