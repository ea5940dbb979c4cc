"""A device as data: a target's profile, read from TOML on a workstation and carried in bundles."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields
from importlib import resources
from typing import Any, Literal, get_args

from trm_edge import toml_file, typed_values
from trm_edge.errors import ConfigError
from trm_edge.step import CarryType

Precision = Literal["int8", "fp8", "fp16", "fp32", "int8-weight-only", "int4-weight-only"]
Engine = Literal["onnxruntime", "tensorrt"]
# Scales of a product's INT8 inputs: one per token, computed at run time (dynamic); per token only
# where no norm has scaled the inputs (after SwiGLU and attention), as every shipped profile has it;
# or one per tensor, from calibration (static).
Int8Ranges = Literal["per_token", "per_token_products", "per_layer"]

_SHIPPED = "trm_edge.targets"  # package whose data files are the shipped profiles
_OPSETS = (19, 30)  # lowest that a step graph needs, highest that is known here
_MAX_SLOTS = 1 << 16
_LARGEST = 1 << 30  # GB or MiB
_FILE_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")
_CAPABILITY = re.compile(r"\d+\.\d")
_VERSION = re.compile(r"\d+(\.\d+)+")


@dataclass(frozen=True)
class TargetProfile:
    """A device's abilities, and what its step graph and engine must be like.

    Args:
        name: of the target; the name of its file.
        description: the device, for people.
        engine: what runs the step graph.
        precisions: those that the device supports.
        correctness_only: those that run, but are not faster.
        carry: element type of the carries and of everything that is not quantized, except with
            fp32.
        int8_ranges: granularity of the scales of INT8 inputs.
        opset: highest ONNX opset that the device's parser reads.
        batch: minimum, optimum and maximum number of slots of an engine.
        compute_capability: of the GPU, such as ``"8.7"``; TensorRT only, as all below.
        tensorrt: oldest and newest TensorRT version available for the device.
        software: what installs TensorRT there.
        memory_gb: size of the device's memory in GB.
        unified_memory: True where GPU and CPU share their memory.
        workspace_mb: scratch memory in MiB that the builder may use.
        power_modes: names of the device's power modes.

    Raises:
        ConfigError: a value is out of range; names the target, the key and what is expected.
    """

    name: str
    description: str
    engine: Engine
    precisions: tuple[Precision, ...]
    correctness_only: tuple[Precision, ...] = ()
    carry: CarryType = "float32"
    int8_ranges: Int8Ranges = "per_token_products"
    opset: int = 19
    batch: tuple[int, int, int] = (1, 8, 64)
    compute_capability: str = ""
    tensorrt: tuple[str, str] = ("", "")
    software: str = ""
    memory_gb: float = 0.0
    unified_memory: bool = False
    workspace_mb: int = 1024
    power_modes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._check_choice("engine", get_args(Engine))
        self._check_choice("carry", get_args(CarryType))
        self._check_choice("int8_ranges", get_args(Int8Ranges))
        known = set(get_args(Precision))
        among = f"among {', '.join(get_args(Precision))}"
        self._check(set(self.precisions) <= known, "precisions", among)
        self._check(set(self.correctness_only) <= known, "correctness_only", among)
        self._check(bool(self.precisions), "precisions", "one or more")
        is_subset = set(self.correctness_only) <= set(self.precisions)
        self._check(is_subset, "correctness_only", "in precisions")
        is_rising = len(self.batch) == 3 and list(self.batch) == sorted(self.batch)
        self._check(
            is_rising and self.batch[0] >= 1,
            "batch",
            "three rising numbers from 1: minimum, optimum and maximum slots",
        )
        self._check(self.batch[2] <= _MAX_SLOTS, "batch", f"at most {_MAX_SLOTS} slots")
        lowest, highest = _OPSETS
        self._check(lowest <= self.opset <= highest, "opset", f"in {lowest}..{highest}")
        if self.engine == "tensorrt":
            self._check_device()

    def require(self, precision: Precision) -> None:
        """Refuse a precision that the device does not support.

        Args:
            precision: the precision to check.

        Raises:
            ConfigError: lists the supported ones.
        """
        if precision not in self.precisions:
            raise ConfigError(
                f"{self.name} does not support {precision}; it supports "
                f"{', '.join(self.precisions)}."
            )

    def carry_of(self, precision: Precision) -> CarryType:
        """Return the element type of the carries and of everything that is not quantized.

        Args:
            precision: the precision of the step graph.
        """
        if precision == "fp32":
            return "float32"
        if precision == "fp16":
            return "float16"
        return self.carry

    def _check_device(self) -> None:
        is_capability = bool(_CAPABILITY.fullmatch(self.compute_capability))
        self._check(is_capability, "compute_capability", "like '8.7'")
        is_version = [bool(_VERSION.fullmatch(version)) for version in self.tensorrt]
        self._check(is_version == [True, True], "tensorrt", "two versions like '10.3'")
        self._check(0 < self.memory_gb < _LARGEST, "memory_gb", "positive")
        self._check(0 < self.workspace_mb < _LARGEST, "workspace_mb", "positive")

    def _check_choice(self, key: str, choices: tuple[str, ...]) -> None:
        self._check(getattr(self, key) in choices, key, f"one of {', '.join(choices)}")

    def _check(self, fine: bool, key: str, expected: str) -> None:
        if not fine:
            raise ConfigError(
                f"target {self.name}: {key} must be {expected}, but got {getattr(self, key)!r}."
            )


def profile_from_dict(name: str, values: dict[str, Any]) -> TargetProfile:
    """Make a profile from the content of a target's file.

    Args:
        name: of the target.
        values: the file's keys and values.

    Raises:
        ConfigError: a key is unknown or missing, or a value is of another type or out of range.
    """
    keys = [field for field in fields(TargetProfile) if field.name != "name"]
    known = [key.name for key in keys]
    required = [key.name for key in keys if key.default is MISSING]
    unknown = sorted(set(values) - set(known))
    missing = [key for key in required if key not in values]
    if unknown or missing:
        raise ConfigError(
            f"target {name}: unknown {', '.join(unknown) or 'nothing'}, missing "
            f"{', '.join(missing) or 'nothing'}. The keys are {', '.join(known)}."
        )
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        arguments[key] = tuple(value) if isinstance(value, list) else value
    try:
        with suppress(TypeError, ValueError):  # a value of another type, which is named below
            TargetProfile(name=name, **arguments)  # names the choices of a wrong value
        return typed_values.build(TargetProfile, {"name": name, **values})
    except ConfigError as error:
        message = str(error).removesuffix(".").removeprefix(f"target {name}: ")
        raise ConfigError(f"target {name}: {message}.") from error


def shipped_profile(name: str) -> TargetProfile | None:
    """Read a profile that is shipped with trm-edge, as data.

    Bundles of versions that did not record profiles name one of these.

    Args:
        name: of the target.

    Returns:
        The profile, or None where none of that name is shipped.

    Raises:
        ConfigError: the file is damaged.
    """
    file = resources.files(_SHIPPED) / f"{name}.toml"
    if not _FILE_NAME.fullmatch(name) or not file.is_file():
        return None
    return profile_from_dict(name, toml_file.decode_toml(file.read_text(encoding="utf-8"), name))
